import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { ensureBrowser } from './ensure-browser.ts';

/** Before all tests: a browser (its software Vulkan device runs the kernels), and the command line built. */
export default async function setup(): Promise<() => void> {
  // What the command line keeps for its next start stays out of the user's own cache.
  const cache = (process.env.XDG_CACHE_HOME = mkdtempSync(join(tmpdir(), 'retune-test-cache-')));
  const builds = (process.env.RETUNE_TEST_BUILDS = mkdtempSync(join(tmpdir(), 'retune-test-builds-')));
  // Whoever names a Vulkan driver has chosen the device to test.
  if (!process.env.VK_DRIVER_FILES) ensureBrowser();
  await build({ configFile: 'vite.cli.config.ts', logLevel: 'error' });
  return () => {
    for (const folder of [cache, builds]) rmSync(folder, { recursive: true, force: true });
  };
}
