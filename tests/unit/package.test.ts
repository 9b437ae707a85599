import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { expect, it } from 'vitest';

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  bin: Record<string, string>;
  dependencies: Record<string, string>;
};

it('the package depends on what the built command line imports, and on nothing else', () => {
  const text = readFileSync(manifest.bin.retune!, 'utf8');
  expect(text.startsWith('#!/usr/bin/env node\n')).toBe(true);
  const imports = text.matchAll(/^import (?:[^"]*? from )?"([^"]+)"|\bimport\("([^"]+)"\)/gm);
  const packages = [...imports]
    .map(([, fixed, late]) => (fixed ?? late)!)
    .filter((name) => !isBuiltin(name) && !name.startsWith('data:'))
    .map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)![0]);
  expect([...new Set(packages)].sort()).toEqual(Object.keys(manifest.dependencies).sort());
});

it('the package holds what the demo, the example and the page need, and no sources', () => {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', '--offline'];
  const [{ files }] = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' })) as [
    { files: { path: string }[] },
  ];
  const paths = files.map(({ path }) => path);
  for (const path of [
    'dist/cli/retune.js',
    'public/demo/base/model.safetensors',
    'public/demo/training_config.yaml',
    'tests/fixtures/cases/recipe_text/base/model.safetensors',
    'tests/fixtures/cases/recipe_text/v1/adapter_config.json',
    'tests/fixtures/cases/recipe_text/train.jsonl',
    'README.md',
    'LICENSE',
  ]) {
    expect(paths).toContain(path);
  }
  expect(paths.filter((path) => /^(src|shaders|node_modules)\/|\.ts$/.test(path))).toEqual([]);
});
