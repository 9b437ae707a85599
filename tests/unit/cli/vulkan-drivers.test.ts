import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hasVulkanDriver } from '../../../src/cli/vulkan-drivers.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'retune-vulkan-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const driver = (...path: string[]) => {
  const file = join(home, ...path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '{}');
  return file;
};

it('counts the drivers that the environment names, and only those', () => {
  const file = driver('driver.json');
  driver('share/vulkan/icd.d/other.json');
  const absent = join(home, 'absent.json');
  for (const key of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']) {
    expect(hasVulkanDriver({ [key]: file })).toBe(true);
    expect(hasVulkanDriver({ [key]: `${absent}:${file}` })).toBe(true);
    expect(hasVulkanDriver({ [key]: absent, XDG_DATA_DIRS: join(home, 'share') })).toBe(false);
  }
});

it('finds description files in the folders of the loader', () => {
  const places: [NodeJS.ProcessEnv, string[]][] = [
    [{ XDG_CONFIG_HOME: join(home, 'a') }, ['a']],
    [{ XDG_CONFIG_DIRS: `/nowhere:${join(home, 'b')}` }, ['b']],
    [{ XDG_DATA_HOME: join(home, 'c') }, ['c']],
    [{ XDG_DATA_DIRS: join(home, 'd') }, ['d']],
    [{ HOME: join(home, 'e') }, ['e', '.local/share']],
  ];
  for (const [env, root] of places) {
    driver(...root, 'vulkan/icd.d/driver.json');
    expect([env, hasVulkanDriver({ HOME: home, ...env })]).toEqual([env, true]);
  }
});
