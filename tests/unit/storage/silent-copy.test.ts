import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { BucketMirror } from '../../../src/storage/bucket-mirror.ts';
import { entriesUnder, openDatabase, replaceEntries } from '../../../src/storage/database.ts';
import { openMirroredStore } from '../../../src/storage/mirrored-store.ts';
import { BrowserProfile, openPage } from '../../support/fault-page.ts';
import { FaultyPage } from '../../support/faulty-idb.ts';

const SECONDS = 30_000;
const MINUTE = 60_000;
const GIVEN_UP =
  'The second copy of runs and tests gives no answer, so until the page is opened again only the first is written: everything is kept there, and the second is completed then.';

beforeEach(() => {
  vi.stubGlobal('IDBKeyRange', IDBKeyRange);
  vi.stubGlobal('indexedDB', new IDBFactory());
  const request = (_: string, work: () => unknown) => work();
  vi.stubGlobal('navigator', { locks: { request } });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const never = () => new Promise<never>(() => undefined);

/** A place whose databases go silent at their `at`-th operation, for good; never for 0. */
function silentHome(databases: IDBFactory, at = 0): BucketMirror & { idb: FaultyPage } {
  const idb = new FaultyPage({ at, fault: 'silent', lasting: true });
  const open = async () => openDatabase('retune', { factory: idb.factory(databases) });
  return { idb, open, remove: never };
}

/** Resolves with `work`, and how many milliseconds it took on a clock that moves while everything is silent. */
async function timed<T>(work: Promise<T>): Promise<{ value: T; ms: number }> {
  let done = false;
  const ends = work.finally(() => (done = true));
  for (let ms = 0; ; ms += SECONDS) {
    for (let i = 0; i < 60 && !done; i++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (done || ms > 30 * MINUTE) {
      return { value: await Promise.race([ends, Promise.reject(new Error('it hangs'))]), ms };
    }
    await vi.advanceTimersByTimeAsync(SECONDS);
  }
}

/** What a start of the page writes. */
async function visit(home: BucketMirror, name: string): Promise<string[]> {
  const told: string[] = [];
  const store = openMirroredStore('retune', home);
  store.onGivenUp((message) => told.push(message));
  await replaceEntries(store, [], [[`record/${name}-1`, name]]);
  await replaceEntries(store, [], [[`record/${name}-2`, name]]);
  return told;
}

const contents = (factory?: IDBFactory) =>
  entriesUnder<unknown>(openDatabase('retune', factory && { factory }), '');

it('of a second copy that goes silent, wherever it does, only the wait is lost, and that once', async () => {
  const trial = silentHome(new IDBFactory());
  await timed(visit(trial, 'trial'));
  const places = trial.idb.trace.length;
  expect(places).toBeGreaterThan(15);
  for (let at = 1; at <= places; at += 2) {
    vi.stubGlobal('indexedDB', new IDBFactory());
    const databases = new IDBFactory();
    const { value: told, ms } = await timed(visit(silentHome(databases, at), 'a'));
    expect(told).toEqual([GIVEN_UP]);
    expect(ms).toBeLessThanOrEqual(10 * MINUTE);
    const first = [
      ['record/a-1', 'a'],
      ['record/a-2', 'a'],
      ['transaction', 2],
    ];
    expect(await contents()).toEqual(first);
    // A page that ends takes along what it waits for.
    await vi.advanceTimersByTimeAsync(11 * MINUTE);
    await vi.advanceTimersByTimeAsync(11 * MINUTE);
    // The next start completes the second copy.
    expect((await timed(visit(silentHome(databases), 'b'))).value).toEqual([]);
    expect(await contents(databases)).toEqual(await contents());
  }
});

it.each([
  ['is never opened', never, 0],
  ['is never removed', async () => openDatabase('second'), 1],
])('does not wait for ever for a second place that %s', async (_, open, expected) => {
  const store = openMirroredStore('retune', { open, remove: never });
  const { ms } = await timed(store.emptyCopy().then(() => replaceEntries(store, [], [['a', 1]])));
  expect(ms).toBeGreaterThan(0);
  expect(ms).toBeLessThanOrEqual(2 * MINUTE);
  const told: string[] = [];
  store.onGivenUp((message) => told.push(message));
  expect(told).toEqual(expected === 0 ? [GIVEN_UP] : []);
});

it('says so in the run or test that goes on, or in the next one', async () => {
  vi.useRealTimers();
  const { runs } = openPage(new BrowserProfile());
  runs.note('before');
  const heard: string[] = [];
  const hear = ({ text }: { text: string }) => heard.push(text);
  const who = { id: 'a', name: 'A', doing: 'testing' } as const;
  await runs.alone(who, hear, async () => runs.note('meanwhile'));
  await runs.alone(who, hear, async () => undefined);
  expect(heard).toEqual(['before', 'meanwhile']);
});
