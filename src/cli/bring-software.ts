import { UserError } from '../formats/user-error.ts';
import { SWIFTSHADER_PACKAGE } from './swiftshader-package.ts';

/** What is missing: a software Vulkan device for the command line, or a browser with one for the page's tests. */
export type Need = 'device' | 'browser';

/** The machine, as far as bringing software depends on it. */
export interface Machine {
  platform: NodeJS.Platform;
  arch: string;
  /** Whether this is root on a system with apt. */
  mayUseApt: boolean;
  hasApt: boolean;
  /** Where downloads are kept; undefined without a home folder. */
  folder: string | undefined;
  has(need: Need): boolean;
  /** Asks, or decides from the options: what would be downloaded, from where, how large. */
  consents(offer: string): Promise<boolean>;
  say(text: string): void;
  /** Runs a command, showing its output; throws an Error if it cannot be run or fails. */
  run(command: readonly string[], env?: NodeJS.ProcessEnv): Promise<void>;
  fetchSwiftShader(folder: string): Promise<void>;
}

interface Way {
  name: string;
  applies(need: Need, machine: Machine): boolean;
  /** Completes "may be brought: …". */
  offer(need: Need, machine: Machine): string;
  bring(need: Need, machine: Machine): Promise<void>;
}

/** The version of the project's playwright-core. */
export const PLAYWRIGHT = 'playwright-core@1.65.1';

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** In the order in which they are tried. macOS and Windows need none: their own drivers include what Dawn uses. */
const WAYS: readonly Way[] = [
  {
    name: 'npm',
    applies: (need, { platform, arch, folder }) =>
      need === 'device' && platform === 'linux' && arch === 'x64' && folder !== undefined,
    offer: (_, { folder }) => {
      const { name, version, download, kept } = SWIFTSHADER_PACKAGE;
      return `Download SwiftShader, a Vulkan device in software, with npm (${name} ${version}, ${megabytes(download)}, of which ${megabytes(kept)} are kept in ${folder})`;
    },
    bring: (_, { folder, fetchSwiftShader }) => fetchSwiftShader(folder!),
  },
  {
    name: 'apt',
    applies: (_, { mayUseApt }) => mayUseApt,
    offer: (need) =>
      need === 'device'
        ? "Install libvulkan1 and mesa-vulkan-drivers, Mesa's Vulkan device in software, with apt (about 60 MB, 250 MB on the disk)"
        : 'Install chromium, with a Vulkan device in software, with apt (about 210 MB, 730 MB on the disk)',
    bring: async (need, { run }) => {
      const packages = need === 'device' ? ['libvulkan1', 'mesa-vulkan-drivers'] : ['chromium'];
      await run(['apt-get', 'update', '-qq']);
      await run(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages]);
    },
  },
  {
    name: 'Playwright',
    // It comes through npm as well, so where that failed there is no point in it.
    applies: (need, { platform, arch, folder }) =>
      need === 'browser' || (platform === 'linux' && arch !== 'x64' && folder !== undefined),
    offer: (need, { folder }) =>
      need === 'device'
        ? `Download Playwright's headless Chromium, with a Vulkan device in software (about 120 MB, 350 MB in ${folder})`
        : "Download Playwright's Chromium, with a Vulkan device in software (about 180 MB, 450 MB on the disk)",
    bring: (need, { folder, mayUseApt, run }) => {
      const install = ['npm', 'exec', '--yes', '--fetch-retries=0', '--', PLAYWRIGHT, 'install'];
      return need === 'device'
        ? run([...install, 'chromium-headless-shell'], { PLAYWRIGHT_BROWSERS_PATH: folder })
        : run([...install, ...(mayUseApt ? ['--with-deps'] : []), 'chromium']);
    },
  },
];

/** Brings what is missing, saying what it does and how large it is. Throws UserError if it is refused or fails. */
export async function bringSoftware(need: Need, machine: Machine): Promise<void> {
  const failures: string[] = [];
  for (const way of WAYS.filter((found) => found.applies(need, machine))) {
    const offer = way.offer(need, machine);
    if (!(await machine.consents(offer))) {
      throw new UserError({
        what: 'No GPU, and no software device',
        remedy: `start again with --yes to ${offer[0]!.toLowerCase()}${offer.slice(1)}, or ${remedy(need, machine)}`,
      });
    }
    machine.say(`${offer} …`);
    try {
      await way.bring(need, machine);
      if (machine.has(need)) {
        return;
      }
      failures.push(`${way.name} brought none`);
    } catch (error) {
      failures.push(`${way.name}: ${(error as Error).message}`);
    }
  }
  throw new UserError({
    what: `${need === 'device' ? 'No GPU, and no software device' : 'No browser with a software device'}${failures.length > 0 ? ` (${failures.join('; ')})` : ''}`,
    remedy: remedy(need, machine),
  });
}

/** What the user can do. */
function remedy(need: Need, { platform, hasApt, mayUseApt }: Machine): string {
  if (need === 'browser') {
    return 'install Chrome or Chromium, or set CHROME_PATH to its executable';
  }
  if (platform === 'win32') {
    return "install the GPU's driver; Windows's own software device (WARP) was not found either";
  }
  if (platform === 'darwin') {
    return 'use a Mac and a macOS with Metal, which Dawn requires';
  }
  const command = 'apt-get install libvulkan1 mesa-vulkan-drivers';
  return hasApt
    ? `install one with this command: ${mayUseApt ? '' : 'sudo '}${command}`
    : "install the GPU's Vulkan driver, Mesa's Vulkan drivers, Chrome or Chromium, or name a browser in CHROME_PATH";
}
