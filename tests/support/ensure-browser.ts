import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findSwiftShader } from '../../src/cli/software-vulkan.ts';

/** What the tests require of the machine, and how they obtain it. */
export interface Machine {
  hasSwiftShader(): boolean;
  hasVulkanLoader(): boolean;
  /** Whether apt may be used. */
  hasApt: boolean;
  /** Runs a command, showing its output; false if it failed. */
  run(command: string, ...args: string[]): void;
  say(text: string): void;
}

/** Finds Chrome or Chromium with SwiftShader beside it, or installs it, and reports what it does. */
export function ensureBrowser(machine: Machine = thisMachine): void {
  const { hasApt, run, say } = machine;
  if (machine.hasSwiftShader() && machine.hasVulkanLoader()) {
    return;
  }
  if (hasApt) {
    say('Installing libvulkan1 and chromium with apt: no browser with SwiftShader was found for the tests.');
    run('apt-get', 'update', '-qq');
    // One at a time, because not every distribution has a chromium.
    for (const name of ['libvulkan1', 'chromium']) {
      run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', name);
    }
  }
  if (!machine.hasSwiftShader()) {
    const found = hasApt
      ? 'apt brought no browser with SwiftShader'
      : 'no browser with SwiftShader was found';
    say(`Installing Playwright's Chromium: ${found} for the tests (CHROME_PATH names one).`);
    const libraries = hasApt ? ['--with-deps'] : [];
    run(process.execPath, 'node_modules/playwright-core/cli.js', 'install', ...libraries, 'chromium');
  }
  if (!machine.hasSwiftShader()) {
    throw new Error(
      'The tests need Chrome or Chromium with SwiftShader beside it; set CHROME_PATH to its executable.',
    );
  }
}

const onLinux = process.platform === 'linux';

const thisMachine: Machine = {
  hasSwiftShader: () => findSwiftShader() !== undefined,
  hasVulkanLoader: () =>
    !onLinux || execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }).includes('libvulkan.so.1'),
  hasApt: onLinux && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get'),
  run: (command, ...args) => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync(command, args, { stdio: 'inherit', env });
  },
  say: (text) => console.log(text),
};
