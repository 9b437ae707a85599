import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { held, surviveTornLogs, write } from '../support/torn-logs.ts';
import { WorkerPages } from '../support/worker-page.ts';

let pages: WorkerPages;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/mirrored-store-test');
});

afterAll(() => pages.close());

// Other orders, and a single copy, stand in tests/long/torn-logs.test.ts.
it('of two copies loses nothing where killed browsers left records of both unfinished', () =>
  surviveTornLogs(pages, 2, ['first', 'second']));

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
  if (transaction > 0) {
    await write(page, { a: '1', b: '2' });
  }
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
    // A page that ended between its two transactions has completed the first.
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

it('makes a second copy anew that another tab has removed with the last run', async () => {
  const [context, page] = await emptyPage();
  await page.evaluate(async () => {
    const { openMirroredStore, replace } = window.bench.storage;
    const [here, there] = [openMirroredStore(), openMirroredStore()];
    await replace(here, [], [['record/1', 1]]);
    await replace(there, ['record/1'], [['a', 1]]);
    await there.emptyCopy();
    const { storageBuckets } = navigator as unknown as { storageBuckets: { keys(): Promise<string[]> } };
    if ((await storageBuckets.keys()).length > 0) {
      throw new Error('the second copy is still there');
    }
    await replace(here, [], [['record/2', 2]]);
    await here.emptyCopy();
    await replace(there, [], [['b', 3]]);
  });
  const second = await held(page, 'second');
  expect(second).toEqual({ a: 1, b: 3, 'record/2': 2, transaction: 4 });
  expect(second).toEqual(await held(page, 'first'));
  await context.close();
});

it('keeps one copy of everything if there is no space for two', async () => {
  const [context, page] = await emptyPage();
  const session = await context.newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 20_000_000 });
  const keys = ['a', 'b', 'c', 'd'];
  for (const key of keys) {
    await write(page, { [key]: key.repeat(4e6) });
  }
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
