import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { KEPT_FEATURES, securityHeaders } from '../../src/platform/security-headers.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { hostedHeaders, StaticHost } from '../support/real-page.ts';
import {
  ALLOWLIST,
  attempt,
  OLDER,
  OLDER_LEAVING,
  OLDER_PAGE,
  patiently,
  tryAll,
} from '../support/try-ways-out.ts';
import { INJECTIONS, LOOKUPS, PRELUDE, REFUSED_ANYWAY } from '../support/ways-out.ts';

let built: StaticHost;
beforeAll(async () => {
  built = await StaticHost.open('dist/ways-out-test');
  // A page under the same headers that is cheap to open.
  writeFileSync(join(built.folder, 'empty.html'), '<!doctype html><title>Empty</title><body></body>');
});
afterAll(() => built?.close());

describe('ways out of the page, its engine and its service worker', () => {
  it('without our headers each of them leads somewhere', async () => {
    const { tried, reached, lookups } = await tryAll(built.folder, new Map(), [], (tried) =>
      tried.filter((way) => !REFUSED_ANYWAY.includes(way)),
    );
    expect(tried.length).toBeGreaterThan(25);
    expect(tried.filter((way) => !reached.includes(way))).toEqual(REFUSED_ANYWAY);
    expect(lookups).toEqual(Object.keys(LOOKUPS).toSorted());
  });

  it('with them none does; in a Chrome that is older than Connection-Allowlist those that have no other header do', async () => {
    const { version, reached, lookups } = await tryAll(
      built.folder,
      hostedHeaders(built.folder),
      [],
      (_, version) => (version < ALLOWLIST ? OLDER.reached : []),
    );
    expect({ reached, lookups }).toEqual(version < ALLOWLIST ? OLDER : { reached: [], lookups: [] });
  });

  // That these do without it, tests/long/ways-out.test.ts shows.
  it('those that only Connection-Allowlist holds are named in docs/SECURITY.md', () => {
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
