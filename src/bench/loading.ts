import { type BaseModel, openBaseModel } from '../formats/base-model.ts';
import type { Folder } from '../formats/byte-source.ts';
import { UserError } from '../formats/user-error.ts';
import type { Gpu } from '../gpu/device.ts';
import { BaseCache } from '../model/base/cache/base-cache.ts';
import type { CacheStorage } from '../model/base/cache/storage.ts';
import { loadBase } from '../model/base/load.ts';
import { BaseHash, baseHash } from '../model/base/read/content-hash.ts';
import { CHUNK_BYTES, readAhead, type Receiver } from '../model/base/read/read-ahead.ts';
import { readPlan, unwanted, type Wanted } from '../model/base/read/read-plan.ts';
import { CountedReads } from './counted-reads.ts';
import { type Timing, timing } from './measure.ts';
import type { Cell, ReportSection } from './report.ts';

/** How to measure the loading of a base. */
interface LoadingCall {
  /** Opens a device; each one opened is closed again. */
  openGpu: () => Promise<Gpu>;
  rounds: number;
  /** Called with what is being measured. */
  onProgress: (text: string) => void;
}

/** A base on a disk, and a place beside it for the cache of quantized bases. */
export interface BenchDisk {
  /** What the base is, for the table's title. */
  title: string;
  folder: Folder;
  /** Empty at first. */
  storage: CacheStorage;
  /** Makes the system drop its cached copies of the base and of the base cache, as far as possible. */
  forget(): Promise<void>;
  /** Removes what was created for the benchmark. */
  close(): Promise<void>;
}

/** Maximum rounds: each reads the base half a dozen times. */
const MAX_ROUNDS = 3;
const OPTIONS = { doubleQuant: true, positions: 16 };

/**
 * Measures how long a base takes from disk to device, at the first start and at the second. Throws UserError if the
 * disk has no space for the cache.
 */
export async function measureLoading(
  { title, folder, storage, forget }: BenchDisk,
  { openGpu, rounds, onProgress }: LoadingCall,
): Promise<ReportSection> {
  const reads = new CountedReads();
  const model = await openBaseModel(reads.folder(folder));
  const most = Math.min(MAX_ROUNDS, rounds);
  const ways = new Map<string, { seconds: number[]; bytes: number }>();
  /** `work` may call `reached` to mark an intermediate time. */
  const measure = async (
    what: string,
    work: (soFar: (what: string) => void) => Promise<unknown>,
  ): Promise<number> => {
    onProgress(`loading: ${what}`);
    await forget();
    reads.bytes = 0;
    const begun = performance.now();
    const soFar = (what: string): number => {
      const seconds = (performance.now() - begun) / 1000;
      ways.set(what, { seconds: [...(ways.get(what)?.seconds ?? []), seconds], bytes: reads.bytes });
      return seconds;
    };
    await work(soFar);
    return soFar(what);
  };
  // A separate device each: closing it frees its memory.
  const measureLoad = async (what: string, cache?: BaseCache): Promise<void> => {
    const gpu = await openGpu();
    try {
      await measure(what, async (soFar) => {
        const slot = await cache?.slot(model, OPTIONS.doubleQuant);
        const onContent = slot && slot.content === undefined ? () => soFar(LOADED) : undefined;
        await loadBase(gpu, model, { ...OPTIONS, cache: slot, onContent, onNote: refuse });
        await gpu.device.queue.onSubmittedWorkDone();
      });
    } finally {
      gpu.close();
    }
  };
  for (let round = 0; round < most; round++) {
    const plain = await measure(PLAIN, () => readPlainly(model));
    await measure('the reads of loading, a device that takes no time', () => readInto(model, 0));
    await measure('the reads of loading, a device as slow as they are', () => readInto(model, plain));
    await measure('the same reads and SHA-256, a device that takes no time', () => readAndHash(model));
    await measure('SHA-256 alone, as over a finished run', () => baseHash(model, () => undefined));
    await measureLoad('reading and quantizing');
    const cache = new BaseCache(reads.storage(storage));
    await measureLoad(FIRST, cache);
    const [entry] = await cache.list();
    await measureLoad(SECOND, cache);
    await cache.delete(entry!.id);
  }
  const found = [...ways].map(([what, { seconds, bytes }]): Way => ({ what, bytes, ...timing(seconds) }));
  return loadingSection(title, found);
}

/** Without a cache there is nothing to measure. */
const refuse = (why: string): never => {
  throw new UserError(why);
};

const PLAIN = 'reading from end to end';
const LOADED = 'first start, until the base is on the device: hash, quantize';
const FIRST = 'first start, until the cache is written too';
const SECOND = 'second start, from the cache';

/** One way of loading a base, and the bytes read for it. */
interface Way extends Timing {
  what: string;
  bytes: number;
}

function loadingSection(title: string, ways: readonly Way[]): ReportSection {
  const named = (what: string): Way => ways.find((way) => way.what === what)!;
  const rate = ({ bytes, seconds }: Way): number => bytes / seconds;
  const plain = rate(named(PLAIN));
  const rows = ways.map((way): Cell[] => {
    const { what, bytes, seconds, fastest, slowest } = way;
    return [
      what,
      bytes / 2 ** 20,
      { speed: seconds },
      { speed: (100 * (slowest - fastest)) / seconds, digits: 0 },
      { speed: rate(way) / 1e6, digits: 0 },
      { speed: (100 * rate(way)) / plain, digits: 0 },
    ];
  });
  const gain: Cell = { speed: named(FIRST).seconds / named(SECOND).seconds };
  return {
    name: 'loading',
    title: `From the disk to the device: ${title}`,
    columns: ['', 'MiB read', 's', 'spread %', 'MB/s', '% of plain read'],
    rows: [...rows, ['times as fast as the first start, the second', '', gain, '', '', '']],
    notes: [
      'MiB read are counted at the files of the base and of the cache. The mark, 70% of the plain read, is for the first start until the base is on the device.',
      'Before each the system is asked to forget the files; what loads does so onto a device that was opened before, and compiles its kernels on the way.',
    ],
  };
}

async function readPlainly({ weightFiles }: BaseModel): Promise<void> {
  const into = new Uint8Array(CHUNK_BYTES);
  for (const file of weightFiles) {
    for (let at = 0; at < file.size; at += CHUNK_BYTES) {
      await file.read(at, into.subarray(0, Math.min(CHUNK_BYTES, file.size - at)));
    }
  }
}

/**
 * The reads of loading into a device that is busy for `seconds` in total: if the two overlap, no longer than
 * either.
 */
async function readInto(
  { tensors, weightFiles }: BaseModel,
  seconds: number,
  see?: Receiver['see'],
): Promise<void> {
  const wanted = [...tensors.values()].map((info): Wanted => ({ ...info, unit: 256, take: () => undefined }));
  const chunks = readPlan([...wanted, ...unwanted(wanted, weightFiles)], CHUNK_BYTES);
  const inFlight: Promise<void>[] = [];
  let busyUntil = 0;
  const take = async (): Promise<void> => {
    while (inFlight.length >= 2) {
      await inFlight.shift();
    }
    const now = performance.now();
    busyUntil = Math.max(busyUntil, now) + (1000 * seconds) / chunks.length;
    const wait = busyUntil - now;
    inFlight.push(new Promise((resolve) => setTimeout(resolve, wait)));
  };
  await readAhead(chunks, { see, take });
  await Promise.all(inFlight);
}

/** What a first start does with the bytes besides quantizing them. */
async function readAndHash(model: BaseModel): Promise<void> {
  const hash = new BaseHash(model);
  await readInto(model, 0, (chunk, bytes) => hash.update(chunk, bytes));
  await hash.digest();
}
