import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bringSoftware, type Machine, type Need, PLAYWRIGHT } from '../../../src/cli/bring-software.ts';

interface Fake extends Partial<Machine> {
  /** The first of the commands that brings what is missing ("npm" for the package with SwiftShader). */
  brings?: string;
  /** Commands that fail, and their reason. */
  fails?: Record<string, string>;
}

/** What is run and said on a machine where nothing is installed. */
async function bring(need: Need, { brings = '', fails = {}, ...facts }: Fake = {}) {
  const ran: string[] = [];
  const said: string[] = [];
  let there = false;
  const run = async (words: readonly string[], env = {}) => {
    const command = [...Object.entries(env).map((pair) => pair.join('=')), ...words].join(' ');
    ran.push(command);
    const failing = Object.keys(fails).find((part) => command.includes(part));
    if (failing !== undefined) {
      throw new Error(fails[failing]);
    }
    there ||= command.endsWith(brings);
  };
  const failure = await bringSoftware(need, {
    platform: 'linux',
    arch: 'x64',
    hasApt: true,
    mayUseApt: false,
    folder: '/home/me/.cache/retune/software-device',
    has: () => there,
    consents: async () => true,
    say: (text) => said.push(text),
    run,
    fetchSwiftShader: () => run(['npm']),
    ...facts,
  }).then(
    () => undefined,
    (error: Error) => error.message,
  );
  return { ran, said, failure };
}

const ROOT = { mayUseApt: true };
const apt = (packages: string) => [
  'apt-get update -qq',
  `apt-get install -y -qq --no-install-recommends ${packages}`,
];
const playwright = (what: string) => `npm exec --yes --fetch-retries=0 -- ${PLAYWRIGHT} install ${what}`;
const OURS = 'PLAYWRIGHT_BROWSERS_PATH=/home/me/.cache/retune/software-device';

describe('a software device', () => {
  it.each([
    ['root', ROOT],
    ['an ordinary user', {}],
  ])('comes from the npm registry for %s on x64, into a folder of ours', async (_, user) =>
    expect(await bring('device', { ...user, brings: 'npm' })).toEqual({
      ran: ['npm'],
      said: [
        'Download SwiftShader, a Vulkan device in software, with npm (@sparticuz/chromium 153.0.0, 70 MB, of which 7 MB are kept in /home/me/.cache/retune/software-device) …',
      ],
      failure: undefined,
    }),
  );

  it('comes by apt for root where npm has none for the processor, or fails', async () => {
    const packages = 'libvulkan1 mesa-vulkan-drivers';
    const arm = await bring('device', { ...ROOT, arch: 'arm64', brings: packages });
    expect(arm).toMatchObject({ ran: apt(packages), failure: undefined });
    expect(arm.said[0]).toContain('(about 60 MB, 250 MB on the disk)');
    const failed = await bring('device', { ...ROOT, fails: { npm: 'E403' }, brings: packages });
    expect(failed).toMatchObject({ ran: ['npm', ...apt(packages)], failure: undefined });
  });

  it("comes with Playwright's headless shell for an ordinary user on another processor", async () => {
    const { ran, said, failure } = await bring('device', { arch: 'arm64', brings: 'shell' });
    expect(ran).toEqual([`${OURS} ${playwright('chromium-headless-shell')}`]);
    expect(said[0]).toMatch(/about 120 MB, 350 MB in \/home\/me\/.cache\/retune\/software-device/);
    expect(failure).toBeUndefined();
  });

  it('offline, ends with the reasons and a command to run', async () => {
    const fails = { apt: 'it ended with 100', npm: 'getaddrinfo ENOTFOUND registry' };
    expect((await bring('device', { fails })).failure).toBe(
      'No GPU, and no software device (npm: getaddrinfo ENOTFOUND registry); install one with this command: sudo apt-get install libvulkan1 mesa-vulkan-drivers.',
    );
    expect((await bring('device', { ...ROOT, fails })).failure).toMatch(
      /; apt: it ended with 100\)?; install one with this command: apt-get install libvulkan1 mesa-vulkan-drivers\.$/,
    );
    expect((await bring('device', { hasApt: false, fails })).failure).toMatch(
      /; install the GPU's Vulkan driver, .* or name a browser in CHROME_PATH\.$/,
    );
  });

  it('is not downloaded where it is refused', async () => {
    const { ran, said, failure } = await bring('device', { consents: async () => false });
    expect([ran, said]).toEqual([[], []]);
    expect(failure).toMatch(
      /^No GPU, and no software device; start again with --yes to download SwiftShader.* 70 MB.*, or install one with this command: sudo apt-get install libvulkan1 mesa-vulkan-drivers\.$/,
    );
  });

  it('is never downloaded on Windows and macOS, whose drivers are part of the system', async () => {
    const folder = 'C:\\Users\\me\\AppData\\Local\\retune\\software-device';
    expect(await bring('device', { platform: 'win32', hasApt: false, folder })).toEqual({
      ran: [],
      said: [],
      failure:
        "No GPU, and no software device; install the GPU's driver; Windows's own software device (WARP) was not found either.",
    });
    const mac = await bring('device', { platform: 'darwin', arch: 'arm64', hasApt: false });
    expect([mac.ran, mac.failure]).toEqual([
      [],
      'No GPU, and no software device; use a Mac and a macOS with Metal, which Dawn requires.',
    ]);
  });

  it('without a home folder comes by apt or not at all', async () => {
    const homeless = { folder: undefined };
    expect((await bring('device', homeless)).ran).toEqual([]);
    expect((await bring('device', { ...homeless, ...ROOT })).ran).toHaveLength(2);
  });
});

describe('a browser for the tests', () => {
  it('comes by apt for root', async () =>
    expect(await bring('browser', { ...ROOT, brings: 'chromium' })).toMatchObject({
      ran: apt('chromium'),
      failure: undefined,
    }));

  it("is Playwright's where apt has none, as on Ubuntu", async () =>
    expect((await bring('browser', { ...ROOT, brings: '--with-deps chromium' })).ran).toEqual([
      ...apt('chromium'),
      playwright('--with-deps chromium'),
    ]));

  it.each(['linux', 'win32', 'darwin'] as const)(
    "is Playwright's for an ordinary user on %s",
    async (platform) => {
      const { ran, failure } = await bring('browser', { platform, brings: 'chromium' });
      expect([ran, failure]).toEqual([[playwright('chromium')], undefined]);
    },
  );

  it('that cannot be had ends with what to do', async () =>
    expect((await bring('browser', { brings: 'nothing' })).failure).toBe(
      'No browser with a software device (Playwright brought none); install Chrome or Chromium, or set CHROME_PATH to its executable.',
    ));
});

it('Playwright is of the version that the tests use', () => {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { version: string }>;
  };
  expect(PLAYWRIGHT).toBe(`playwright-core@${lock.packages['node_modules/playwright-core']!.version}`);
});
