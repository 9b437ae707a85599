import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { openProfile } from './browser-kills.ts';
import { Random } from './random.ts';
import type { WorkerPages } from './worker-page.ts';

const random = new Random(Date.now());

/** Leaves a database's log as a browser does that is killed in the middle of a record: its header, not its content. */
function tearLog(profile: string, copy: 'first' | 'second'): void {
  const place = join(profile, 'Default', copy === 'first' ? 'IndexedDB' : 'WebStorage');
  const logs = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.leveldb.\d+\.log$/.test(file),
  );
  // One that is being made a table of may still be there; the latest is written to.
  const latest = logs.toSorted().at(-1);
  if (latest === undefined) {
    throw new Error(`no log under ${place}`);
  }
  const header = [random.integer(0, 256), 2, 3, 4, random.integer(200, 256), random.integer(1, 64), 1];
  appendFileSync(join(place, latest), Buffer.from(header));
}

/** All that a copy holds, blobs as their text up to its padding, and their size. */
export const held = (page: Page, copy: 'first' | 'second') =>
  page.evaluate(async (copy) => {
    const { bucketHome, entriesUnder, openDatabase } = window.bench.storage;
    const store = copy === 'first' ? openDatabase('retune') : await bucketHome('retune').open();
    const entries = await entriesUnder(store!, '');
    const plain = entries.map(async ([key, value]) => [
      key,
      value instanceof Blob ? `${(await value.text()).replace(/\.+$/, '')} ${value.size}` : value,
    ]);
    return Object.fromEntries(await Promise.all(plain)) as Record<string, unknown>;
  }, copy);

export const write = (page: Page, entries: Record<string, string>, copies: 1 | 2 = 2) =>
  page.evaluate(
    async ({ entries, copies }) => {
      const { openMirroredStore, replace } = window.bench.storage;
      const blobs = Object.entries(entries).map(([key, text]) => [key, new Blob([text])] as const);
      const none = { open: () => Promise.resolve(undefined), remove: () => Promise.resolve() };
      await replace(copies === 2 ? openMirroredStore() : openMirroredStore('retune', none), [], blobs);
    },
    { entries, copies },
  );

/** Expects that of so many copies nothing is lost whose logs killed browsers left torn, one after the other. */
export async function surviveTornLogs(
  pages: WorkerPages,
  copies: 1 | 2,
  torn: readonly ('first' | 'second')[],
): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), 'retune-torn-'));
  const expected: Record<string, string> = {};
  const session = async (work: (page: Page) => Promise<void>) => {
    const browser = await openProfile(profile);
    try {
      await work(await pages.emptyPage(browser.context));
    } finally {
      await browser.kill();
    }
  };
  const writeMore = (page: Page) => {
    const key = `run/${Object.keys(expected).length}`;
    const [text, size] = [`${random.integer(0, 1e9)}`, random.integer(10, 70_000)];
    expected[key] = `${text} ${size}`;
    return write(page, { [key]: text.padEnd(size, '.') }, copies);
  };
  try {
    await session(writeMore);
    for (const copy of torn) {
      tearLog(profile, copy);
      // It goes on behind the unfinished record, and finds the store damaged only the next time.
      await session(writeMore);
    }
    await session(async (page) => {
      await writeMore(page);
      const first = await held(page, 'first');
      expect(first).toMatchObject(expected);
      expect(await held(page, 'second')).toEqual(copies === 2 ? first : {});
    });
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
