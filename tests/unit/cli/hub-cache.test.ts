import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { baseNamed, findInHubCache, firstBase, hubCacheFolder } from '../../../src/cli/hub-cache.ts';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'retune-hub-'));
  vi.stubEnv('HF_HUB_CACHE', cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

const NAME = 'Some-Owner/Model-1.5B';
const model = (...path: string[]) => join(cache, 'models--Some-Owner--Model-1.5B', ...path);

/** A snapshot as huggingface_hub lays it: links to blobs. */
function snapshot(revision: string): string {
  mkdirSync(model('blobs'), { recursive: true });
  mkdirSync(model('snapshots', revision), { recursive: true });
  writeFileSync(model('blobs', 'abc'), '{}');
  symlinkSync('../../blobs/abc', model('snapshots', revision, 'config.json'));
  return model('snapshots', revision);
}
function main(revision: string): void {
  mkdirSync(model('refs'), { recursive: true });
  writeFileSync(model('refs/main'), revision);
}

it('is at the place that huggingface_hub uses', () => {
  const home = () => '/home/me';
  const all = { HF_HUB_CACHE: '/a', HF_HOME: '/b', XDG_CACHE_HOME: '/c' };
  expect(hubCacheFolder(all, home)).toBe('/a');
  expect(hubCacheFolder({ ...all, HF_HUB_CACHE: undefined }, home)).toBe('/b/hub');
  expect(hubCacheFolder({ XDG_CACHE_HOME: '/c' }, home)).toBe('/c/huggingface/hub');
  expect(hubCacheFolder({}, home)).toBe('/home/me/.cache/huggingface/hub');
});

it('gives the snapshot that main names, or else another one', async () => {
  expect(await findInHubCache(NAME)).toBeUndefined();
  const old = snapshot('aaaa');
  expect(await findInHubCache(NAME)).toBe(old);
  const named = snapshot('bbbb');
  main('bbbb\n');
  expect(await findInHubCache(NAME)).toBe(named);
  // What main names may have been deleted.
  main('cccc');
  expect(await findInHubCache(NAME)).toBe(old);
  main('../../..');
  expect(await findInHubCache(NAME)).toBe(old);
});

it('gives no snapshot whose config.json leads nowhere', async () => {
  snapshot('aaaa');
  rmSync(model('blobs/abc'));
  expect(await findInHubCache(NAME)).toBeUndefined();
});

it.each(['../x', 'a/b/c', '/etc', 'x', '..', './x', '-a/b', 'a/..', 'a b/c'])(
  'is not asked for %j',
  async (name) => {
    expect(await findInHubCache(name)).toBeUndefined();
    expect(await baseNamed(name)).toBe(name);
  },
);

it('has what --base names if no folder has that path', async () => {
  await expect(baseNamed(NAME)).rejects.toThrow(
    `${NAME}: no such folder, and no such model in Hugging Face's cache (${cache}); check the path, or download the model with "hf download ${NAME}".`,
  );
  const folder = snapshot('aaaa');
  expect(await baseNamed(NAME)).toBe(folder);
  expect(await baseNamed('src/cli')).toBe('src/cli');
});

it('has the first of several names that is there', async () => {
  expect(await firstBase([undefined, '', NAME])).toBeUndefined();
  const folder = snapshot('aaaa');
  expect(await firstBase(['no/such', NAME, 'src'])).toBe(folder);
  expect(await firstBase(['src', NAME])).toBe('src');
});
