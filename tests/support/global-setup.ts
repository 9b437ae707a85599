import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { ensureBrowser } from './ensure-browser.ts';

/** Before all tests: a browser (its software Vulkan device runs the kernels), and the command line built. */
export default async function setup(): Promise<() => void> {
  // The command line's cache is kept out of the user's own.
  const cache = (process.env.XDG_CACHE_HOME = mkdtempSync(join(tmpdir(), 'retune-test-cache-')));
  const builds = (process.env.RETUNE_TEST_BUILDS = mkdtempSync(join(tmpdir(), 'retune-test-builds-')));
  // What the tests start may compute on the CPU where there is no GPU.
  process.env.RETUNE_SOFTWARE_GPU ??= 'allow';
  // Whoever sets a Vulkan driver has chosen the device to test.
  if (!process.env.VK_DRIVER_FILES) {
    await ensureBrowser();
  }
  await build({ configFile: 'vite.cli.config.ts', logLevel: 'error' });
  return () => {
    for (const folder of [cache, builds]) {
      rmSync(folder, { recursive: true, force: true });
    }
  };
}
