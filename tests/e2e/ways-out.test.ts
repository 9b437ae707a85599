import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { KEPT_FEATURES, securityHeaders } from '../../src/platform/security-headers.ts';
import { Listeners } from '../support/listeners.ts';
import { hostedHeaders, StaticHost } from '../support/real-page.ts';
import {
  INJECTIONS,
  LEAVING,
  LOOKUPS,
  PAGE,
  PRELUDE,
  REFUSED_ANYWAY,
  SERVICE_WORKER,
  SERVICE_WORKER_LEAVING,
  type Ways,
  WORKER,
} from '../support/ways-out.ts';
import { BROWSER_ARGS } from '../support/worker-page.ts';

/** The first version of Chrome that supports Connection-Allowlist. */
const ALLOWLIST = 152;

/**
 * What older versions have no header for, as docs/SECURITY.md says. When they refuse a frame or a form, they have
 * already opened the connection: no request arrives, but it shows that one was to be made, and to whom.
 */
const OLDER_PAGE = [
  'link preconnect',
  'frame',
  'empty frame that goes there',
  'form into a frame',
  'WebRTC, STUN',
  'WebRTC, TURN',
];
const OLDER_LEAVING = Object.keys(LEAVING).filter((way) => !/fetch|image/.test(way));
const OLDER = {
  reached: [
    ...OLDER_PAGE.map((way) => `page: ${way}`),
    ...OLDER_LEAVING.map((way) => `leaving: ${way}`),
    'service worker: WindowClient.navigate',
  ].toSorted(),
  lookups: ['link dns-prefetch', ...OLDER_PAGE].toSorted(),
};

let folder: string;
let built: StaticHost;
beforeAll(async () => {
  built = await StaticHost.open('dist/ways-out-test');
  folder = mkdtempSync(join(tmpdir(), 'retune-ways-'));
  // A page under the same headers that is cheap to open.
  writeFileSync(join(built.folder, 'empty.html'), '<!doctype html><title>Empty</title><body></body>');
});
afterAll(async () => {
  await built?.close();
  if (folder) {
    rmSync(folder, { recursive: true });
  }
});

describe('ways out of the page, its engine and its service worker', () => {
  it('without our headers each of them leads somewhere', async () => {
    const { tried, reached, lookups } = await tryAll(new Map(), [], (tried) =>
      tried.filter((way) => !REFUSED_ANYWAY.includes(way)),
    );
    expect(tried.length).toBeGreaterThan(25);
    expect(tried.filter((way) => !reached.includes(way))).toEqual(REFUSED_ANYWAY);
    expect(lookups).toEqual(Object.keys(LOOKUPS).toSorted());
  });

  it('with them none does; in a Chrome that is older than Connection-Allowlist those that have no other header do', async () => {
    const { version, reached, lookups } = await tryAll(hostedHeaders(built.folder), [], (_, version) =>
      version < ALLOWLIST ? OLDER.reached : [],
    );
    expect({ reached, lookups }).toEqual(version < ALLOWLIST ? OLDER : { reached: [], lookups: [] });
  });

  it('the others hold where Connection-Allowlist is switched off, and docs/SECURITY.md names those that do not', async () => {
    const args = ['--disable-features=ConnectionAllowlists'];
    const { reached, lookups } = await tryAll(hostedHeaders(built.folder), args, () => OLDER.reached);
    expect({ reached, lookups }).toEqual(OLDER);
    const named = [...readFileSync('docs/SECURITY.md', 'utf8').matchAll(/^- `(.+?)`/gm)].map(
      ([, way]) => way!,
    );
    expect(named.toSorted()).toEqual(
      [...OLDER_PAGE, ...OLDER_LEAVING, 'WindowClient.navigate', 'link dns-prefetch'].toSorted(),
    );
  });
});

describe('what is injected', () => {
  it('runs without our headers', async () => {
    const all = Object.keys(INJECTIONS);
    expect(await injected(new Map(), all)).toEqual(all);
  });

  it('does not with them, and WebAssembly does', async () => {
    expect(await injected(hostedHeaders(built.folder), ['WebAssembly'])).toEqual(['WebAssembly']);
  });
});

it('the page may use what it needs of the browser and no more', async () => {
  await inEmptyPage(hostedHeaders(built.folder), async (page) => {
    const allowed = await page.evaluate(() => {
      const { featurePolicy } = document as unknown as { featurePolicy: { allowedFeatures(): string[] } };
      return featurePolicy.allowedFeatures();
    });
    const refused = securityHeaders['Permissions-Policy']!.match(/[a-z-]+(?==\(\))/g)!;
    expect(refused.length).toBeGreaterThan(70);
    expect(allowed.filter((feature) => refused.includes(feature))).toEqual([]);
    expect(allowed).toEqual(expect.arrayContaining(KEPT_FEATURES));
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  });
});

it.each([
  ['is let alone by foreign pages', true],
  ['without our headers is not', false],
])('the page %s', async (_, held) => {
  const headers = held ? hostedHeaders(built.folder) : new Map<string, string>();
  const ours = await StaticHost.of(built.folder, headers);
  await inEmptyPage(new Map(), async (foreign) => {
    const popup = foreign.waitForEvent('popup');
    const reached = await foreign.evaluate(async (url) => {
      const loaded = (element: HTMLElement) =>
        new Promise((resolve) => {
          element.addEventListener('load', () => resolve(true));
          element.addEventListener('error', () => resolve(false));
          document.body.append(element);
        });
      const image = Object.assign(document.createElement('img'), { src: `${url}icon.svg` });
      Object.assign(window, { opened: open(`${url}empty.html`) });
      const frame = Object.assign(document.createElement('iframe'), { src: `${url}empty.html` });
      return { image: await loaded(image), frame: await loaded(frame) };
    }, ours.url);
    await (await popup).waitForLoadState();
    // Chrome takes the opener's hold away by a separate message, some time after the page is there.
    const closed = () => (window as unknown as { opened: Window }).opened.closed;
    if (held) {
      await foreign.waitForFunction(closed);
    }
    const opened = !(await foreign.evaluate(closed));
    // A refused frame loads too: an error page.
    const frame = foreign.frames()[1]!.url();
    expect({ ...reached, opened, frame: frame === `${ours.url}empty.html` }).toEqual({
      image: !held,
      frame: !held,
      opened: !held,
    });
  });
  await ours.close();
});

interface Tried {
  /** Chrome's major version. */
  version: number;
  tried: string[];
  /** The ways by which something arrived. */
  reached: string[];
  /** The ways by which a foreign name was looked up. */
  lookups: string[];
}

/** Waits as long as it takes for what shall arrive, and a while longer for what shall not. */
async function tryAll(
  headers: ReadonlyMap<string, string>,
  args: readonly string[],
  expected: (tried: readonly string[], version: number) => readonly string[],
): Promise<Tried> {
  const profile = mkdtempSync(join(folder, 'profile-'));
  const log = join(profile, 'net.json');
  const [page, light] = await Promise.all([1, 2].map(() => StaticHost.of(built.folder, headers)));
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
  const lookups = Object.keys(LOOKUPS)
    .filter((_, i) => names.includes(foreignName(i)))
    .toSorted();
  return { version, tried, reached, lookups };
}

type Script = string;

/** Waits until it holds, for at most half a minute: what then is missing, the caller finds missing. */
async function patiently(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300 && !(await holds()); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Runs outside the inspector's call, whose code may do what a page's may not, and ignores exceptions. */
const attempt = (source: string, away: string): string =>
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

/** Opens a page that has nothing, in a separate browser. */
async function inEmptyPage(
  headers: ReadonlyMap<string, string>,
  work: (page: Page) => Promise<void>,
): Promise<void> {
  const host = await StaticHost.of(built.folder, headers);
  const browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
  try {
    const page = await browser.newPage();
    await page.goto(`${host.url}empty.html`);
    await work(page);
  } finally {
    await browser.close();
    await host.close();
  }
}

/** The injections that ran: those expected are waited for, the others get a second. */
async function injected(
  headers: ReadonlyMap<string, string>,
  expected: readonly string[],
): Promise<string[]> {
  let ran: string[] = [];
  await inEmptyPage(headers, async (page) => {
    const tries = Object.entries(INJECTIONS).map(([name, source]) =>
      attempt(`const name = '${name}', code = "ran.push('" + name + "')"; ${source}`, ''),
    );
    await page.evaluate(`globalThis.ran = []; ${PRELUDE}${tries.join('')}`);
    const look = async () =>
      (ran = await page.evaluate(() => (globalThis as unknown as { ran: string[] }).ran));
    await patiently(async () => {
      await look();
      return expected.every((name) => ran.includes(name));
    });
    await page.waitForTimeout(1000);
    await look();
  });
  return Object.keys(INJECTIONS).filter((name) => ran.includes(name));
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
