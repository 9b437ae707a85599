import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix, win32 } from 'node:path';
import { expect, it, vi } from 'vitest';
import { FolderCacheStorage } from '../../../src/cli/base-cache.ts';
import { defaultCacheFolder } from '../../../src/cli/cache-folder.ts';

const find = (env: NodeJS.ProcessEnv, platform: NodeJS.Platform, home?: string) =>
  defaultCacheFolder(env, platform, () => home)?.replaceAll(win32.sep, posix.sep);

it.each([
  ['linux', {}, '/home/me', '/home/me/.cache/retune'],
  ['linux', { XDG_CACHE_HOME: '/caches' }, '/home/me', '/caches/retune'],
  ['linux', { XDG_CACHE_HOME: 'caches' }, '/home/me', '/home/me/.cache/retune'],
  ['linux', { XDG_CACHE_HOME: '/caches' }, undefined, '/caches/retune'],
  ['linux', {}, undefined, undefined],
  ['linux', {}, '', undefined],
  ['linux', {}, 'me', undefined],
  ['darwin', {}, '/Users/me', '/Users/me/Library/Caches/retune'],
  ['win32', { LOCALAPPDATA: 'C:\\Local' }, undefined, 'C:/Local/retune'],
  ['win32', {}, 'C:\\me', 'C:/me/.cache/retune'],
] as const)('lies where the system keeps caches, or nowhere: %s %o %s', (platform, env, home, folder) =>
  expect(find(env, platform, home)).toBe(folder),
);

it('looks into its own entries only', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'retune-cache-'));
  const ours = ['0123456789abcdef', '0123456789abcdef-plain'];
  for (const name of [
    ...ours,
    'projects',
    '.0123456789abcdef.1.partial',
    '0123456789ABCDEF',
    `${ours[0]}-x`,
  ]) {
    mkdirSync(join(folder, name));
  }
  expect((await new FolderCacheStorage(folder).entries()).toSorted()).toEqual(ours);
  rmSync(folder, { recursive: true });
});

it('tells that the disk refused what was brought to it while more was written, and leaves nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'retune-cache-'));
  const handle = await open(join(folder, 'any'), 'w');
  await handle.close();
  const full = Object.assign(new Error('full'), { code: 'ENOSPC', syscall: 'fdatasync' });
  const datasync = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'datasync');
  datasync.mockRejectedValueOnce(full);
  const storage = new FolderCacheStorage(join(folder, 'cache'));
  const writer = await storage.begin('0123456789abcdef', 100);
  await writer.append('base.safetensors', new Uint8Array(2 ** 26));
  await writer.append('base.safetensors', new Uint8Array(10));
  expect(datasync).toHaveBeenCalledOnce();
  await expect(writer.complete()).rejects.toThrow('its disk is full');
  await writer.abandon();
  expect(await storage.entries()).toEqual([]);
  datasync.mockRestore();
  rmSync(folder, { recursive: true });
});
