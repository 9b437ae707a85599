import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { expect, vi } from 'vitest';
import { RunFiles } from '../../src/engine/files/inputs.ts';
import { KeptAdapters } from '../../src/engine/files/kept-adapters.ts';
import { KeptBases } from '../../src/engine/files/kept-bases.ts';
import type { ChosenInputs } from '../../src/engine/protocol/protocol.ts';
import { Runs } from '../../src/engine/runs/runs.ts';
import { parseRecipe } from '../../src/formats/recipe.ts';
import { UserError } from '../../src/formats/user-error.ts';
import { BaseCache } from '../../src/model/base/cache/base-cache.ts';
import { BrowserCacheStorage } from '../../src/storage/base-cache.ts';
import { entriesUnder, openDatabase } from '../../src/storage/database.ts';
import { KeptInputs } from '../../src/storage/kept-inputs.ts';
import { openMirroredStore } from '../../src/storage/mirrored-store.ts';
import { RunRecords } from '../../src/storage/run-records.ts';
import { expectSame } from './compare-maps.ts';
import { DEFAULT_DEVICE } from './device-settings.ts';
import { FaultyPage, type IdbFault } from './faulty-idb.ts';
import { memoryDirectory } from './memory-cache.ts';
import { globals, nullWebGpu } from './null-webgpu.mjs';

/** What survives a page: its databases, both copies, and the base cache. */
export class BrowserProfile {
  readonly databases: [IDBFactory, IDBFactory] = [new IDBFactory(), new IDBFactory()];
  readonly bases = memoryDirectory();

  /** Everything in the first copy, or in the second. */
  contents(copy: 0 | 1 = 0): Promise<[string, unknown][]> {
    vi.stubGlobal('IDBKeyRange', IDBKeyRange);
    return entriesUnder<unknown>(openDatabase('retune', { factory: this.databases[copy] }), '');
  }
}

/** The engine of a page of that profile; without `gpu` on a device that computes next to nothing. */
export function openPage(profile: BrowserProfile, fault?: IdbFault, gpu: unknown = nullWebGpu()) {
  const idb = new FaultyPage(fault);
  const first = idb.factory(profile.databases[0]);
  Object.assign(globalThis, globals);
  vi.stubGlobal('IDBKeyRange', IDBKeyRange);
  vi.stubGlobal('indexedDB', first);
  endTimersWith(idb);
  vi.stubGlobal('navigator', {
    userAgent: 'test',
    gpu,
    locks: pageLocks(),
    storage: { persisted: async () => true, estimate: async () => ({ usage: 0, quota: 2 ** 40 }) },
    storageBuckets: {
      open: async () => ({ indexedDB: idb.factory(profile.databases[1]), persist: async () => true }),
      delete: async () => void (profile.databases[1] = new IDBFactory()),
    },
  });
  const store = openMirroredStore();
  const records = new RunRecords(store);
  const kept = new KeptAdapters(records);
  const cache = new BaseCache(new BrowserCacheStorage(async () => profile.bases));
  const files = new RunFiles(kept, new KeptBases(records, cache), cache, new KeptInputs(store));
  return { idb, store, records, kept, cache, files, runs: new Runs(store, records, files) };
}

const { setTimeout: realSetTimeout } = globalThis;

/** A page's timers end with it: a timeout that fired later would send a dead page into the next one's database. */
function endTimersWith(idb: FaultyPage): void {
  const timers: ReturnType<typeof setTimeout>[] = [];
  vi.stubGlobal('setTimeout', (...call: Parameters<typeof realSetTimeout>) => {
    const timer = realSetTimeout(...call);
    if (idb.dead) {
      clearTimeout(timer);
    } else {
      timers.push(timer);
    }
    return timer;
  });
  void idb.death.then(() => timers.forEach((timer) => clearTimeout(timer)));
}

/**
 * Runs a training with `fault` injected, then opens the page anew and resumes the run, or starts it again if there
 * is none. Resolves to what is wrong. `whole`: the outcome of an undisturbed run.
 */
export async function judgePage(
  inputs: ChosenInputs,
  fault: IdbFault,
  whole: Record<string, unknown>,
): Promise<{ wrong: string[]; how: string }> {
  const wrong: string[] = [];
  const check = async (what: string, work: () => unknown) => {
    try {
      await work();
    } catch (error) {
      wrong.push(`${what}: ${String(error).slice(0, 1500)}`);
    }
  };
  const profile = new BrowserProfile();
  const struck = openPage(profile, fault);
  const ended = struck.runs
    .start(inputs, DEFAULT_DEVICE, () => undefined)
    .then(
      ({ status }) => status,
      (error: unknown) => (error instanceof UserError ? error.message : { bug: error }),
    );
  const outcome = await Promise.race([ended, struck.idb.death.then(() => 'died')]);
  const how = typeof outcome === 'string' ? outcome : `a bug:\n${bugText(outcome.bug)}`;
  await check('how it ended', () => expect(how).toMatch(/^(finished|died|\S.{20,400}\.)$/));
  for (const copy of [0, 1] as const) {
    await check(`copy ${copy}`, async () => checkContents(await profile.contents(copy)));
  }
  const again = openPage(profile);
  await check('again', async () => {
    const [run, ...others] = await again.runs.list();
    expect(others).toEqual([]);
    if (run?.status === 'finished') {
      expect(how).toMatch(/finished|died/);
    }
    const end = !run
      ? await again.runs.start(inputs, DEFAULT_DEVICE, () => undefined)
      : run.status === 'finished'
        ? run
        : await again.runs.resume(run.id, inputs, DEFAULT_DEVICE, () => undefined);
    expect(end.status).toBe('finished');
  });
  await check('outcome', async () => {
    const found = await comparableContents(await profile.contents());
    // Copies of the inputs are only a convenience; a run that was not resumed may have none.
    const optional = how === 'finished' && !('inputs/ID' in found) ? /^inputs\/ID$/ : undefined;
    const expected = without(whole, optional);
    // A run continues without a checkpoint that could not be stored: then the previous one stays.
    const skipped = how === 'finished' && stepsOf(found).join() !== stepsOf(expected).join();
    if (!skipped) {
      return expectSame(found, expected);
    }
    expect([stepsOf(found).length, stepsOf(found).at(-1)]).toEqual([
      stepsOf(expected).length,
      stepsOf(expected).at(-1),
    ]);
    const earlier = new RegExp(`/(checkpoint|manifest)/(?!${stepsOf(expected).at(-1)!}\\b)`);
    expectSame(without(found, earlier), without(expected, earlier));
  });
  await check('outcome in the second copy', async () => {
    // A copy that has fallen behind is repaired by the next transaction.
    await again.store('readwrite', () => undefined);
    // One that could not be written is abandoned; the next start creates it anew.
    const copy = await comparableContents(await profile.contents(1));
    if (Object.keys(copy).length > 0) {
      expectSame(copy, await comparableContents(await profile.contents()));
    }
  });
  return { wrong, how };
}

/** All but the keys that match. */
const without = (contents: Record<string, unknown>, pattern?: RegExp): Record<string, unknown> =>
  Object.fromEntries(Object.entries(contents).filter(([key]) => !pattern?.test(key)));

/** Steps of the checkpoints in the order of their names. */
const stepsOf = (contents: Record<string, unknown>): string[] =>
  Object.keys(contents)
    .map((key) => /\/manifest\/(\d+)$/.exec(key)?.[1])
    .filter((step) => step !== undefined)
    .toSorted();

const bugText = (bug: unknown): string => (bug instanceof Error ? String(bug.stack) : String(bug));

/** Throws where a checkpoint or a result is not whole. */
async function checkContents(entries: readonly (readonly [string, unknown])[]): Promise<void> {
  const folders = new Map<string, Map<string, Blob>>();
  const manifests = [];
  for (const [key, value] of entries) {
    const [, , kind, step] = key.split('/');
    if (kind === 'manifest') {
      manifests.push(`checkpoint/${step}`);
    }
    if (kind !== 'checkpoint' && kind !== 'result') {
      continue;
    }
    const folder = kind === 'result' ? kind : `${kind}/${step}`;
    const files = folders.get(folder) ?? new Map<string, Blob>();
    folders.set(folder, files.set(key.split('/').at(-1)!, value as Blob));
  }
  expect(manifests.toSorted()).toEqual([...folders.keys()].filter((name) => name !== 'result').toSorted());
  for (const files of folders.values()) {
    const { files: hashes } = JSON.parse(await files.get('retune_state.json')!.text()) as {
      files: Record<string, string>;
    };
    for (const [name, hash] of Object.entries(hashes)) {
      expect(
        createHash('sha256')
          .update(await bytesOf(files.get(name)!))
          .digest('hex'),
      ).toBe(hash);
    }
  }
}

const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

/** What must be the same whenever a run took place. */
export async function comparableContents(
  entries: readonly (readonly [string, unknown])[],
): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    // Log filler is removed by the next start if its removal failed.
    if (key === 'transaction' || key.startsWith('filling/')) {
      continue;
    }
    const name = key.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'ID').replace(/tfevents\.\d+/, 'tfevents');
    found[name] = value instanceof Blob ? await timeless(name, value) : recordWithoutTimes(value);
  }
  return found;
}

async function timeless(name: string, blob: Blob): Promise<unknown> {
  if (name.includes('tfevents')) {
    return blob.size;
  }
  const text = await blob.text();
  if (!/state\.json$/.test(name)) {
    return createHash('sha256')
      .update(await bytesOf(blob))
      .digest('hex');
  }
  return text
    .replace(/"(eval|train)_(runtime|\w+_per_second)": [^,\n]+/g, '')
    .replace(/"logTimes": \[[^\]]*\]/, '')
    .replace(/"trainer_state.json": "\w+"/, '');
}

function recordWithoutTimes(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) =>
      /^(id|created|resultHash|restarts|bytes)$|runtime|per_second|_state/.test(key) ? undefined : inner,
    ),
  ) as unknown;
}

/** Locks of a browser with only this page. */
function pageLocks() {
  const queues = new Map<string, Promise<unknown>>();
  const held = new Set<string>();
  return {
    request(name: string, options: unknown, work = options as () => unknown) {
      // Who waits no longer than until then is not served.
      if ((options as LockOptions).signal?.aborted && held.has(name)) {
        return Promise.reject((options as LockOptions).signal!.reason as Error);
      }
      const before = queues.get(name) ?? Promise.resolve();
      const done = before
        .catch(() => undefined)
        .then(async () => {
          held.add(name);
          try {
            return await (typeof options === 'function' ? (options as () => unknown) : work)();
          } finally {
            held.delete(name);
          }
        });
      queues.set(name, done);
      return done;
    },
    query: async () => ({ held: [...held].map((name) => ({ name })), pending: [] }),
  };
}

/** Files from disk as the page has them once chosen. */
export function chosenInputs(path: (name: string) => string): ChosenInputs {
  const file = (name: string) =>
    new File([readFileSync(path(name))], name.split('/').at(-1)!, { lastModified: 1 });
  const folder = (name: string) => ({
    name,
    files: readdirSync(path(name)).map((inner) => file(`${name}/${inner}`)),
  });
  const { recipe } = parseRecipe(readFileSync(path('training_config.yaml'), 'utf8'), 'training_config.yaml');
  return {
    base: folder('base'),
    source: folder('v1'),
    train: { file: file('train.jsonl') },
    validation: { file: file('val.jsonl') },
    recipe,
  };
}
