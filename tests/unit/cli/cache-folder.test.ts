import { posix, win32 } from 'node:path';
import { expect, it } from 'vitest';
import { defaultCacheFolder } from '../../../src/cli/base-cache.ts';

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
