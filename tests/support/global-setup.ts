import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { findBrowser, findSwiftShader } from '../../src/cli/software-vulkan.ts';

/** Before all tests: a browser (its software Vulkan device runs the kernels), and the command line built. */
export default async function setup(): Promise<() => void> {
  // What the command line keeps for its next start stays out of the user's own cache.
  const cache = (process.env.XDG_CACHE_HOME = mkdtempSync(join(tmpdir(), 'retune-test-cache-')));
  ensureBrowser();
  await build({ configFile: 'vite.cli.config.ts', logLevel: 'error' });
  return () => rmSync(cache, { recursive: true, force: true });
}

/** Finds Chrome or Chromium with SwiftShader beside it, or installs it, and says what it does. */
function ensureBrowser(): void {
  // Whoever names a Vulkan driver has chosen the device to test.
  if (process.env.VK_DRIVER_FILES) return;
  const found = findBrowser();
  const vulkan = process.platform !== 'linux' || hasVulkanLoader();
  if (found && findSwiftShader() && vulkan) return;
  if (process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.log(
      'Installing chromium and libvulkan1 with apt for the tests: no browser with SwiftShader was found.',
    );
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const apt = (...args: string[]) => execFileSync('apt-get', args, { stdio: 'inherit', env });
    apt('update', '-qq');
    apt('install', '-y', '-qq', '--no-install-recommends', 'chromium', 'libvulkan1');
  }
  if (!findBrowser()) {
    console.log(
      "Installing Playwright's Chromium for the tests: no browser was found (CHROME_PATH names one).",
    );
    execFileSync(process.execPath, ['node_modules/playwright-core/cli.js', 'install', 'chromium'], {
      stdio: 'inherit',
    });
  }
  if (!findSwiftShader())
    throw new Error(
      'The tests need Chrome or Chromium with SwiftShader beside it; set CHROME_PATH to its executable.',
    );
}

function hasVulkanLoader(): boolean {
  return execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }).includes('libvulkan.so.1');
}
