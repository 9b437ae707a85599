import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkCacheApart, checkLinks, checkRecipe, realPath } from '../../../src/cli/apart.ts';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'retune-apart-'));
  for (const folder of ['base', 'v1', 'out', 'data']) {
    mkdirSync(join(work, folder));
  }
  writeFileSync(join(work, 'data/rows.jsonl'), '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(work, { recursive: true });
});

const at = (...parts: string[]) => join(work, ...parts);
const inputs = () => [
  { what: 'the base model', path: at('base') },
  { what: 'the source model', path: at('v1') },
  { what: 'the rows', path: at('data/rows.jsonl') },
];
const refusal = async (check: Promise<void>) =>
  check.then(
    () => 'none',
    (error: unknown) => (error as Error).message.replaceAll(work, '~'),
  );

describe('the cache of bases', () => {
  it.each([
    ['base', '~/base: the cache is also the base model, which'],
    ['v1/deep/cache', '~/v1/deep/cache: the cache lies inside the source model, ~/v1, which'],
    ['.', '~/: the cache holds the base model, ~/base, which'],
    ['data', '~/data: the cache holds the rows, ~/data/rows.jsonl, which'],
    ['out', '~/out: the cache is also the output; choose another --base-cache.'],
    ['out/cache', '~/out/cache: the cache lies inside the output, ~/out; choose another --base-cache.'],
    ['to-v1', '~/to-v1: the cache is also the source model, which'],
    ['dangling', '~/dangling: the cache lies inside the base model, ~/base, which'],
    ['cache', 'none'],
    ['base-cache', 'none'],
  ])('may not be at %s', async (path, sentence) => {
    symlinkSync(at('v1'), at('to-v1'));
    symlinkSync(at('base/new'), at('dangling'));
    const cache = path === '.' ? `${work}/` : at(path);
    expect(await refusal(checkCacheApart(cache, inputs(), at('out')))).toContain(sentence);
  });

  it('that there is none of still leaves the timings of kernels', async () => {
    vi.stubEnv('XDG_CACHE_HOME', at('v1'));
    expect(await refusal(checkCacheApart('none', inputs()))).toBe(
      '~/v1/retune: this folder for what is kept between runs lies inside the source model, ~/v1, which is never written to; set XDG_CACHE_HOME to another.',
    );
  });
});

describe('a link in an output', () => {
  it.each(['logs', 'checkpoint-5', 'adapter_model.safetensors', 'retune_state.json'])(
    'leads to no input: %s',
    async (name) => {
      for (const [target, problem] of [
        ['v1', 'is also the source model'],
        ['v1/logs', 'lies inside the source model, ~/v1'],
        ['data/rows.jsonl', 'is also the rows'],
      ] as const) {
        symlinkSync(at(target), at('out', name));
        expect(await refusal(checkLinks(at('out'), inputs()))).toBe(
          `~/out/${name}: this link ${problem}, which is never written to; remove the link, or choose another --output.`,
        );
        rmSync(at('out', name));
      }
    },
  );

  it('may lead elsewhere, or be none of a run', async () => {
    symlinkSync(at('elsewhere'), at('out/logs'));
    symlinkSync(at('v1'), at('out/notes'));
    expect(await refusal(checkLinks(at('out'), inputs()))).toBe('none');
    expect(await refusal(checkLinks(at('nowhere'), inputs()))).toBe('none');
  });
});

it('links that lead in a circle end', async () => {
  symlinkSync(at('two'), at('one'));
  symlinkSync(at('one'), at('two'));
  expect(await realPath(at('one/new'))).toMatch(/\/(one|two)\/new$/);
});

describe('the recipe', () => {
  it.each([
    ['out/training_config.yaml', true],
    ['out/checkpoint-5/training_config.yaml', true],
    ['to-out/training_config.yaml', true],
    ['link.yaml', true],
    ['out/mine.yaml', false],
    ['out/recipes/training_config.yaml', false],
    ['training_config.yaml', false],
  ])('is no file that the run writes or deletes: %s', async (path, refused) => {
    symlinkSync(at('out'), at('to-out'));
    symlinkSync(at('out/training_config.yaml'), at('link.yaml'));
    expect(await refusal(checkRecipe(at(path), at('out')))).toBe(
      refused
        ? `~/${path}: the run writes its own files there, and may delete this one; copy it to another place and name that in --config.`
        : 'none',
    );
  });
});
