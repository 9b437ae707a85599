import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => resolve('src', name));
const texts = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));

/** What a file imports of src, types too. */
const imports = (file: string): string[] =>
  [...(texts.get(file) ?? '').matchAll(/^(?:import|export)[^;]*?from '(\.[^']+\.ts)'/gms)].map(([, path]) =>
    join(file, '..', path!),
  );

test('no file imports itself through others', () => {
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'open') {
      circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    }
    if (state.has(file)) {
      return;
    }
    state.set(file, 'open');
    for (const other of imports(file)) {
      visit(other, [...path, file]);
    }
    state.set(file, 'done');
  };
  files.forEach((file) => visit(file, []));
  expect(circles).toEqual([]);
  expect(files.flatMap(imports).length).toBeGreaterThan(1000);
});

test('an exported name stands for one thing', () => {
  const places = new Map<string, string[]>();
  const declared = /^export (?:async )?(?:abstract )?(?:function\*?|class|const|interface|type|enum) (\w+)/gm;
  for (const [file, text] of texts) {
    for (const [, name] of text.matchAll(declared)) {
      places.set(name!, [...(places.get(name!) ?? []), file]);
    }
  }
  expect([...places].filter(([, at]) => at.length > 1)).toEqual([]);
  expect(places.size).toBeGreaterThan(500);
});
