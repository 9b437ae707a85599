import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from './browser-args.ts';
import { Listeners } from './listeners.ts';
import { StaticHost } from './real-page.ts';
import {
  LEAVING,
  LOOKUPS,
  PAGE,
  PRELUDE,
  SERVICE_WORKER,
  SERVICE_WORKER_LEAVING,
  type Ways,
  WORKER,
} from './ways-out.ts';

/** The first version of Chrome that supports Connection-Allowlist. */
export const ALLOWLIST = 152;

/**
 * What older versions have no header for, as docs/SECURITY.md says. When they refuse a frame or a form, they have
 * already opened the connection: no request arrives, but it shows that one was to be made, and to whom.
 */
export const OLDER_PAGE = [
  'link preconnect',
  'frame',
  'empty frame that goes there',
  'form into a frame',
  'WebRTC, STUN',
  'WebRTC, TURN',
];
export const OLDER_LEAVING = Object.keys(LEAVING).filter((way) => !/fetch|image/.test(way));
export const OLDER = {
  reached: [
    ...OLDER_PAGE.map((way) => `page: ${way}`),
    ...OLDER_LEAVING.map((way) => `leaving: ${way}`),
    'service worker: WindowClient.navigate',
  ].toSorted(),
  lookups: ['link dns-prefetch', ...OLDER_PAGE].toSorted(),
};

interface Tried {
  /** Chrome's major version. */
  version: number;
  tried: string[];
  /** The ways by which something arrived. */
  reached: string[];
  /** The ways by which a foreign name was looked up. */
  lookups: string[];
}

/**
 * Opens the page that was built in `folder` under such headers and tries every way out. Waits as long as it takes for
 * what shall arrive, and a while longer for what shall not.
 */
export async function tryAll(
  folder: string,
  headers: ReadonlyMap<string, string>,
  args: readonly string[],
  expected: (tried: readonly string[], version: number) => readonly string[],
): Promise<Tried> {
  const profile = mkdtempSync(join(tmpdir(), 'retune-ways-'));
  const log = join(profile, 'net.json');
  const [page, light] = await Promise.all([1, 2].map(() => StaticHost.of(folder, headers)));
  const listeners = new Listeners();
  // A profile on disk: a private one neither preconnects nor looks for a manifest.
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser()!,
    args: [...BROWSER_ARGS, `--log-net-log=${log}`, ...args],
    permissions: ['notifications'],
  });
  const version = Number(context.browser()!.version().split('.')[0]);
  const tried: string[] = [];
  const prepare = async (group: string, ways: Ways): Promise<Script> => {
    const lines: string[] = [];
    for (const [way, source] of Object.entries(ways)) {
      const name = `${group}: ${way}`;
      tried.push(name);
      lines.push(attempt(source, await listeners.open(name)));
    }
    return PRELUDE + lines.join('');
  };
  try {
    await inPage(context, page!.url, prepare);
    await byLeaving(context, `${light!.url}empty.html`, prepare);
    const awaited = expected(tried, version);
    await patiently(() => awaited.every((way) => listeners.reached.includes(way)));
    await new Promise((resolve) => setTimeout(resolve, 1500));
  } finally {
    await context.close();
    await Promise.all([page!.close(), light!.close()]);
  }
  const reached = listeners.reached.toSorted();
  listeners.close();
  const names = readFileSync(log, 'utf8');
  rmSync(profile, { recursive: true });
  const lookups = Object.keys(LOOKUPS)
    .filter((_, i) => names.includes(foreignName(i)))
    .toSorted();
  return { version, tried, reached, lookups };
}

type Script = string;

/** Waits until it holds, for at most half a minute: what then is missing, the caller finds missing. */
export async function patiently(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300 && !(await holds()); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Runs outside the inspector's call, whose code may do what a page's may not, and ignores exceptions. */
export const attempt = (source: string, away: string): string =>
  `setTimeout(async () => { const away = '${away}'; try { ${source} } catch {} });\n`;

const foreignName = (i: number): string => `lookup-${i}.retune.test`;

async function inPage(
  context: BrowserContext,
  url: string,
  prepare: (group: string, ways: Ways) => Promise<Script>,
): Promise<void> {
  const page = await context.newPage();
  const opened = async () => {
    await page.getByText(/Chrome offers only a software device/).waitFor();
    await page.getByText('Ready to work offline.').waitFor();
  };
  await page.goto(url);
  await opened();
  // From now on the page and its engine come from the service worker's cache.
  await page.reload();
  await opened();
  const engine = page.workers().find((worker) => worker.url().includes('/host-'))!;
  const [service] = context.serviceWorkers();
  await page.evaluate(await prepare('page', PAGE));
  await engine.evaluate(await prepare('engine worker', WORKER));
  await service!.evaluate(await prepare('service worker', SERVICE_WORKER));
  const lookups = Object.values(LOOKUPS).map((source, i) =>
    attempt(source, `http://${foreignName(i)}:4444/`),
  );
  await page.evaluate(PRELUDE + lookups.join(''));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await service!.evaluate(await prepare('service worker', SERVICE_WORKER_LEAVING));
}

/** Each in a separate page. */
async function byLeaving(
  context: BrowserContext,
  url: string,
  prepare: (group: string, ways: Ways) => Promise<Script>,
): Promise<void> {
  for (const [way, source] of Object.entries(LEAVING)) {
    const page = await context.newPage();
    await page.goto(url);
    await page.evaluate(await prepare('leaving', { [way]: source }));
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
