import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderCacheStorage } from '../../src/cli/base-cache.ts';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { openBaseModel, type BaseModel } from '../../src/formats/base-model.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { BaseCache } from '../../src/model/base-cache.ts';
import { loadBase } from '../../src/model/load-base.ts';
import { CHUNK_BYTES, readAhead } from '../../src/model/read-ahead.ts';
import { readPlan, type Wanted } from '../../src/model/read-plan.ts';
import { identify } from '../../src/run/identity.ts';
import { defaultRecipe } from '../../src/formats/recipe.ts';
import { bytesSource } from '../../src/formats/byte-source.ts';

/** Seconds, but for `bytes` and `cachedBytes`. */
export interface LoadingFigures {
  bytes: number;
  /** Reading the weight files from end to end, nothing else. */
  plainRead: number;
  /** The reads of loading, with a device that takes no time. */
  pipelinedRead: number;
  /** The same with a device that takes as long as the plain read: close to that where the two overlap, else twice. */
  overlapped: number;
  /** Loading onto this device, reading and quantising. */
  load: number;
  /** Share of the plain read's rate that loading reached. */
  share: number;
  /** A first start's hashing, loading and writing to the cache; a second start's loading from there. */
  firstStart: number;
  secondStart: number;
  cachedBytes: number;
}

/** Measures how a base's folder is loaded, with cold file caches as far as the system lets anyone empty them. */
export async function measureLoading(path: string, gpu: Gpu): Promise<LoadingFigures> {
  const model = await openBaseModel(await nodeFolder(path));
  const files = model.weightFiles;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const cold = (names = files.map(({ name }) => name)) => names.forEach(forget);
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const begun = performance.now();
    await work();
    return (performance.now() - begun) / 1000;
  };

  cold();
  const plainRead = await timed(async () => {
    const into = new Uint8Array(CHUNK_BYTES);
    for (const file of files)
      for (let at = 0; at < file.size; at += CHUNK_BYTES)
        await file.read(at, into.subarray(0, Math.min(CHUNK_BYTES, file.size - at)));
  });
  cold();
  const pipelinedRead = await timed(() => readInto(model, 0));
  cold();
  const overlapped = await timed(() => readInto(model, plainRead));

  const options = { doubleQuant: true, positions: 16 };
  cold();
  const load = await timed(() => loadBase(gpu, model, options));
  const folder = await mkdtemp(join(tmpdir(), 'retune-loading-'));
  try {
    const storage = new FolderCacheStorage(folder);
    const start = async () => {
      const cache = new BaseCache(storage);
      const slot = await cache.slot(model, true);
      if (!slot.content) await slot.identified(await hash(model));
      await loadBase(gpu, model, { ...options, cache: slot });
    };
    cold();
    const firstStart = await timed(start);
    const cached = await new BaseCache(storage).list();
    cold([...files.map(({ name }) => name), join(folder, cached[0]!.id, 'base.safetensors')]);
    const secondStart = await timed(start);
    const share = plainRead / load;
    const cachedBytes = cached[0]!.bytes;
    return {
      bytes,
      plainRead,
      pipelinedRead,
      overlapped,
      load,
      share,
      firstStart,
      secondStart,
      cachedBytes,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The reads of loading into a device that is busy for `seconds` in all. */
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

async function hash(model: BaseModel): Promise<string> {
  const none = bytesSource('none', new Uint8Array());
  const inputs = { model, source: undefined, train: none, validation: undefined, rows: [], evalRows: [] };
  return (await identify({ ...inputs, recipe: defaultRecipe() }, () => undefined)).base;
}

/** Asks the system to drop its copy of a file; where dd cannot, the file stays warm. */
function forget(path: string): void {
  spawnSync('sync', ['-d', path]);
  spawnSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
}
