import { openBaseModel, type BaseModel } from '../formats/base-model.ts';
import type { Folder } from '../formats/byte-source.ts';
import { UserError } from '../formats/user-error.ts';
import type { Gpu } from '../gpu/device.ts';
import { BaseCache } from '../model/base-cache.ts';
import type { CacheStorage } from '../model/base-cache-storage.ts';
import { loadBase } from '../model/load-base.ts';
import { CHUNK_BYTES, readAhead } from '../model/read-ahead.ts';
import { readPlan, type Wanted } from '../model/read-plan.ts';
import { baseHash } from '../run/identity.ts';
import { timing, type Timing } from './measure.ts';
import type { Cell, Section } from './report.ts';

/** How the way of a base is measured. */
export interface LoadingCall {
  /** Each opened device is closed again. */
  openGpu: () => Promise<Gpu>;
  rounds: number;
  /** What is being measured. */
  onProgress: (text: string) => void;
}

/** A base on a disk, and a place beside it for the cache of quantised bases. */
export interface BenchDisk {
  /** What the base is, for the table's title. */
  title: string;
  folder: Folder;
  /** Empty at first. */
  storage: CacheStorage;
  /** Makes the system forget what it holds of the base and of the cache, as far as it can be made to. */
  forget(): Promise<void>;
  /** Removes what was made for the benchmark. */
  close(): Promise<void>;
}

/** Rounds at most: each reads the base half a dozen times. */
const MOST_ROUNDS = 3;
const OPTIONS = { doubleQuant: true, positions: 16 };

/**
 * Measures how long a base takes from the disk to the device, at the first start and at the second. Throws UserError
 * where the disk has no room for the cache.
 */
export async function measureLoading(
  { title, folder, storage, forget }: BenchDisk,
  { openGpu, rounds, onProgress }: LoadingCall,
): Promise<Section> {
  const model = await openBaseModel(folder);
  const bytes = model.weightFiles.reduce((sum, { size }) => sum + size, 0);
  const most = Math.min(MOST_ROUNDS, rounds);
  const times = new Map<string, number[]>();
  const measure = async (what: string, work: () => Promise<unknown>): Promise<number> => {
    onProgress(`loading: ${what}`);
    await forget();
    const begun = performance.now();
    await work();
    const seconds = (performance.now() - begun) / 1000;
    times.set(what, [...(times.get(what) ?? []), seconds]);
    return seconds;
  };
  // A device for each: closing it gives its memory back.
  const measureLoad = async (what: string, cache?: BaseCache): Promise<void> => {
    const gpu = await openGpu();
    try {
      await measure(what, async () => {
        const slot = await cache?.slot(model, OPTIONS.doubleQuant);
        if (slot && !slot.content) await slot.identified(await baseHash(model, () => undefined));
        await loadBase(gpu, model, { ...OPTIONS, cache: slot, onNote: refuse });
        await gpu.device.queue.onSubmittedWorkDone();
      });
    } finally {
      gpu.close();
    }
  };
  let cachedBytes = 0;
  for (let round = 0; round < most; round++) {
    const plain = await measure(PLAIN, () => readPlainly(model));
    await measure('the reads of loading, a device that takes no time', () => readInto(model, 0));
    await measure('the reads of loading, a device as slow as they are', () => readInto(model, plain));
    await measure('reading and SHA-256', () => baseHash(model, () => undefined));
    await measureLoad('reading and quantising');
    const cache = new BaseCache(storage);
    await measureLoad(FIRST, cache);
    const [entry] = await cache.list();
    cachedBytes = entry!.bytes;
    await measureLoad(SECOND, cache);
    await cache.delete(entry!.id);
  }
  const found = new Map([...times].map(([what, seconds]) => [what, timing(seconds)]));
  return loadingSection(title, found, bytes, cachedBytes);
}

/** Without a cache there is nothing to measure. */
const refuse = (why: string): never => {
  throw new UserError(why);
};

const PLAIN = 'reading from end to end';
const FIRST = 'first start: hash, quantise, write the cache';
const SECOND = 'second start, from the cache';

function loadingSection(
  title: string,
  times: ReadonlyMap<string, Timing>,
  bytes: number,
  cachedBytes: number,
): Section {
  const plain = bytes / times.get(PLAIN)!.seconds;
  const rows = [...times].map(([what, { seconds, fastest, slowest }]): Cell[] => {
    const read = what === SECOND ? cachedBytes : bytes;
    return [
      what,
      read / 2 ** 20,
      { speed: seconds },
      { speed: (100 * (slowest - fastest)) / seconds, digits: 0 },
      { speed: read / seconds / 1e6, digits: 0 },
      { speed: (100 * read) / seconds / plain, digits: 0 },
    ];
  });
  const gain: Cell = { speed: times.get(FIRST)!.seconds / times.get(SECOND)!.seconds };
  return {
    name: 'loading',
    title: `From the disk to the device: ${title}`,
    columns: ['', 'MiB read', 's', 'spread %', 'MB/s', '% of plain read'],
    rows: [...rows, ['times as fast as the first start, the second', '', gain, '', '', '']],
    notes: [
      'Before each the system is asked to forget the files; what loads does so onto a device that was opened before, and compiles its kernels on the way.',
    ],
  };
}

async function readPlainly({ weightFiles }: BaseModel): Promise<void> {
  const into = new Uint8Array(CHUNK_BYTES);
  for (const file of weightFiles)
    for (let at = 0; at < file.size; at += CHUNK_BYTES)
      await file.read(at, into.subarray(0, Math.min(CHUNK_BYTES, file.size - at)));
}

/** The reads of loading into a device that is busy for `seconds` in all: where the two overlap, no longer than either. */
async function readInto({ tensors }: BaseModel, seconds: number): Promise<void> {
  const wanted = [...tensors.values()].map((info): Wanted => ({ ...info, unit: 256, take: () => undefined }));
  const chunks = readPlan(wanted, CHUNK_BYTES);
  const inFlight: Promise<void>[] = [];
  let busyUntil = 0;
  await readAhead(chunks, {
    ready: async () => {
      while (inFlight.length >= 2) await inFlight.shift();
    },
    taken: () => {
      busyUntil = Math.max(busyUntil, performance.now()) + (1000 * seconds) / chunks.length;
      inFlight.push(new Promise((resolve) => setTimeout(resolve, busyUntil - performance.now())));
    },
  });
  await Promise.all(inFlight);
}
