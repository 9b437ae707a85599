import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openProfile } from '../support/browser-kills.ts';
import { Random } from '../support/random.ts';
import { WorkerPages } from '../support/worker-page.ts';

let pages: WorkerPages;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/mirrored-store-test');
});

afterAll(() => pages.close());

const random = new Random(Date.now());

/** Leaves a database's log as a browser does that is killed in the middle of a record: its header, not its content. */
function tearLog(profile: string, copy: 'first' | 'second'): void {
  const place = join(profile, 'Default', copy === 'first' ? 'IndexedDB' : 'WebStorage');
  const logs = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.leveldb.\d+\.log$/.test(file),
  );
  // One that is being made a table of may still be there; the latest is written to.
  const latest = logs.toSorted().at(-1);
  if (latest === undefined) throw new Error(`no log under ${place}`);
  const header = [random.integer(0, 256), 2, 3, 4, random.integer(200, 256), random.integer(1, 64), 1];
  appendFileSync(join(place, latest), Buffer.from(header));
}

/** All that a copy holds, blobs as their text up to its padding, and their size. */
const held = (page: Page, copy: 'first' | 'second') =>
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

const write = (page: Page, entries: Record<string, string>, copies: 1 | 2 = 2) =>
  page.evaluate(
    async ({ entries, copies }) => {
      const { openMirroredStore, replace } = window.bench.storage;
      const blobs = Object.entries(entries).map(([key, text]) => [key, new Blob([text])] as const);
      const none = { open: () => Promise.resolve(undefined), remove: () => Promise.resolve() };
      await replace(copies === 2 ? openMirroredStore() : openMirroredStore('retune', none), [], blobs);
    },
    { entries, copies },
  );

it.each([
  [2, ['first']],
  [2, ['second']],
  [2, ['first', 'second']],
  [2, ['second', 'first']],
  [1, ['first', 'first']],
] as const)(
  'of %i copies loses nothing where killed browsers left records unfinished: %j',
  async (copies, torn) => {
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
  },
);

const emptyPage = async (): Promise<[BrowserContext, Page]> => {
  const context = await pages.context();
  return [context, await pages.emptyPage(context)];
};

it('puts handles and records back as they were when the first copy is gone', async () => {
  const [context, page] = await emptyPage();
  const seen = await page.evaluate(async () => {
    const { openMirroredStore, replace, entriesUnder } = window.bench.storage;
    const handle = await (await navigator.storage.getDirectory()).getFileHandle('rows', { create: true });
    const store = openMirroredStore();
    await replace(
      store,
      [],
      [
        ['record/1', { handle, log: [1, 2] }],
        ['record/2', 'gone'],
      ],
    );
    await replace(store, ['record/2'], []);
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase('retune');
      request.onsuccess = resolve;
      request.onerror = reject;
    });
    const found = await entriesUnder<{ handle: FileSystemHandle; log: unknown }>(
      openMirroredStore(),
      'record/',
    );
    return Promise.all(
      found.map(async ([key, { handle: kept, log }]) => ({ key, same: await kept.isSameEntry(handle), log })),
    );
  });
  expect(seen).toEqual([{ key: 'record/1', same: true, log: [1, 2] }]);
  await context.close();
});

it.each([
  ['is behind', 7],
  ['was never written', 0],
])('writes a second copy that %s anew before the next transaction', async (_, transaction) => {
  const [context, page] = await emptyPage();
  if (transaction > 0) await write(page, { a: '1', b: '2' });
  await page.evaluate(async (transaction) => {
    const { openDatabase, replace } = window.bench.storage;
    const unnumbered = [
      ['b', new Blob(['2'])],
      ['c', new Blob(['3'])],
    ] as const;
    await replace(
      openDatabase('retune'),
      ['a'],
      transaction > 0 ? [...unnumbered, ['transaction', transaction]] : unnumbered,
    );
  }, transaction);
  await write(page, { d: '4' });
  const second = await held(page, 'second');
  expect(second).toEqual({
    b: '2 1',
    c: '3 1',
    d: '4 1',
    transaction: transaction + 1,
  });
  expect(second).toEqual(await held(page, 'first'));
  await context.close();
});

it('brings a second copy up to date that another tab or worker has left behind', async () => {
  const [context, page] = await emptyPage();
  await page.evaluate(async () => {
    const { openDatabase, openMirroredStore, replace } = window.bench.storage;
    const store = openMirroredStore();
    await replace(store, [], [['a', 1]]);
    // What was ended between its two transactions has done the first.
    await replace(
      openDatabase('retune'),
      [],
      [
        ['b', 2],
        ['transaction', 2],
      ],
    );
    await replace(store, [], [['c', 3]]);
  });
  const second = await held(page, 'second');
  expect(second).toEqual({ a: 1, b: 2, c: 3, transaction: 3 });
  expect(second).toEqual(await held(page, 'first'));
  await context.close();
});

it('keeps one copy of everything where two have no room', async () => {
  const [context, page] = await emptyPage();
  const session = await context.newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 20_000_000 });
  const keys = ['a', 'b', 'c', 'd'];
  for (const key of keys) await write(page, { [key]: key.repeat(4e6) });
  expect(Object.keys(await held(page, 'first'))).toEqual([...keys, 'transaction']);
  expect(await held(page, 'second')).toEqual({});
  await expect(write(page, { e: 'e'.repeat(4e6) })).rejects.toThrow(
    /The browser has no room left for what was to be kept; delete earlier runs/,
  );
  expect(Object.keys(await held(page, 'first'))).toEqual([...keys, 'transaction']);
  await context.close();
});

it('does with one copy where the browser has no second home, or one that it cannot read', async () => {
  const [context, page] = await emptyPage();
  const kept = await page.evaluate(async () => {
    const { openDatabase, openMirroredStore, replace, entriesUnder } = window.bench.storage;
    const unreadable = openDatabase('unreadable');
    await replace(unreadable, [], [['transaction', 9]]);
    let reads = 0;
    const homes: Parameters<typeof openMirroredStore>[1][] = [
      { open: () => Promise.resolve(undefined), remove: () => Promise.resolve() },
      { open: () => Promise.reject(new Error('no')), remove: () => Promise.reject(new Error('no')) },
      {
        open: () =>
          Promise.resolve((mode, work) =>
            reads++ === 0 ? unreadable(mode, work) : Promise.reject(new Error('unreadable')),
          ),
        remove: () => Promise.resolve(),
      },
    ];
    const found = homes.map(async (home, i) => {
      const store = openMirroredStore(`alone-${i}`, home);
      await replace(store, [], [['a', i]]);
      return entriesUnder(store, 'a');
    });
    return { found: await Promise.all(found), reads };
  });
  expect(kept.found).toEqual([[['a', 0]], [['a', 1]], [['a', 2]]]);
  expect(kept.reads).toBeGreaterThan(1);
  await context.close();
});
