import { cp, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { FolderCacheStorage } from '../../../src/cli/base-cache.ts';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import { BaseCache } from '../../../src/model/base/cache/base-cache.ts';
import type { CacheStorage } from '../../../src/model/base/cache/storage.ts';
import { loadBase } from '../../../src/model/base/load.ts';
import { warmUp } from '../../../src/run/warm-up.ts';
import { BrowserCacheStorage } from '../../../src/storage/base-cache.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { deviceBytes } from '../../support/device-bytes.ts';
import { testGpu } from '../../support/gpu.ts';
import { type MemoryDirectory, memoryDirectory } from '../../support/memory-cache.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { casePath } from '../../support/model-case.ts';
import { caseInputs, run } from '../../support/run-case.ts';

const scratch = await mkdtemp(join(tmpdir(), 'retune-cache-'));
afterAll(() => rm(scratch, { recursive: true }));

let base: string;
let count = 0;
beforeEach(async () => {
  base = join(scratch, `base-${++count}`);
  await cp(casePath('prequant', 'base'), base, { recursive: true });
});

/** One start as a run makes it: what it hashed and read, what it reported, and what reached the device. */
async function start(cache: BaseCache, from = base) {
  const { gpu, stream } = await testGpu();
  const model = await openBaseModel(await nodeFolder(from));
  const slot = await cache.slot(model, true);
  const hashed = slot.content === undefined;
  const notes: string[] = [];
  const caching: number[] = [];
  let read = 0;
  const weights = await loadBase(gpu, model, {
    doubleQuant: true,
    positions: 8,
    cache: slot,
    onContent: hashed ? () => undefined : undefined,
    onProgress: (_, total) => (read = total),
    onCaching: (done) => caching.push(done),
    onNote: (text) => notes.push(text),
  });
  const bytes = await deviceBytes(stream, weights);
  return { hashed, read, kept: caching.length > 0, notes, bytes, content: slot.content! };
}

const places: [string, () => { storage: CacheStorage; directory?: MemoryDirectory }][] = [
  ['a folder', () => ({ storage: new FolderCacheStorage(join(scratch, `cache-${count}`)) })],
  [
    "the browser's file system",
    () => {
      const directory = memoryDirectory();
      return {
        storage: new BrowserCacheStorage(
          () => Promise.resolve(directory),
          async () => 1e9,
        ),
      };
    },
  ],
];

describe.each(places)('in %s', (_, open) => {
  it('the second start hashes nothing and brings the same bytes from the cache', async () => {
    const { storage } = open();
    const first = await start(new BaseCache(storage, () => 1000));
    expect(first).toMatchObject({ hashed: true, kept: true, notes: [] });
    const cache = new BaseCache(storage, () => 2000);
    const second = await start(cache);
    expect(second).toMatchObject({ hashed: false, kept: false, notes: [], content: first.content });
    expect(second.read).not.toBe(first.read);
    expect(second.bytes).toEqual(first.bytes);
    const listed = await cache.list();
    expect(listed).toMatchObject([
      { name: base, doubleQuant: true, created: 1000, lastUsed: 2000, content: first.content },
    ]);
    expect(listed[0]!.bytes).toBeGreaterThan(second.read);
    await cache.delete(listed[0]!.id);
    expect(await cache.list()).toEqual([]);
    expect(await start(cache)).toMatchObject({ hashed: true, kept: true });
  });

  it('a base whose folder is gone opens from the cache, tokenizer and all', async () => {
    const { gpu, stream } = await testGpu();
    const cache = new BaseCache(open().storage);
    const first = await start(cache);
    const own = await openBaseModel(await nodeFolder(base));
    const { vocabSize } = await loadTokenizer(own.folder);
    await rm(base, { recursive: true });
    expect(await cache.folder(first.content, false)).toBeUndefined();
    const folder = (await cache.folder(first.content, true))!;
    const model = await openBaseModel(folder);
    expect(model.config).toEqual(own.config);
    expect(model.eosIds).toEqual(own.eosIds);
    expect([...model.nf4.keys()]).toEqual([...own.nf4.keys()]);
    expect((await loadTokenizer(folder)).vocabSize).toBe(vocabSize);
    const slot = await cache.slot(model, true);
    expect(slot.content).toBe(first.content);
    const weights = await loadBase(gpu, model, { doubleQuant: true, positions: 8, cache: slot });
    expect(await deviceBytes(stream, weights)).toEqual(first.bytes);
    await cache.delete((await cache.list())[0]!.id);
    await expect(loadBase(gpu, model, { doubleQuant: true, positions: 8, cache: slot })).rejects.toThrow(
      `${base}: its copy in the cache is gone or damaged; choose the base's folder again.`,
    );
  });

  it('an interrupted write leaves nothing that counts', async () => {
    const { storage } = open();
    const writer = await storage.begin('half', 10);
    await writer.append('manifest.json', new Uint8Array(10));
    expect(await storage.entries()).toEqual([]);
    await writer.abandon();
    expect(await storage.entries()).toEqual([]);
  });
});

describe('a changed base is not served from the cache', () => {
  /** Flips one bit of the embedding; size and modification time stay the same. */
  const change = async () => {
    const path = join(base, 'model.safetensors');
    const { tensors } = await openBaseModel(await nodeFolder(base));
    const { mtime, atime } = await stat(path);
    const bytes = await readFile(path);
    bytes[tensors.get('model.embed_tokens.weight')!.begin + 7]! ^= 1;
    await writeFile(path, bytes);
    await utimes(path, atime, mtime);
  };

  it('one changed byte under the old size and time: it is hashed again, and kept beside the other', async () => {
    const cache = new BaseCache(new FolderCacheStorage(join(scratch, `cache-${count}`)));
    const first = await start(cache);
    await change();
    const second = await start(cache);
    expect(second).toMatchObject({ hashed: true, kept: true });
    expect(second.content).not.toBe(first.content);
    expect(second.bytes).not.toEqual(first.bytes);
    expect(await cache.list()).toHaveLength(2);
  });

  it('a copy elsewhere is hashed once, then known too', async () => {
    const cache = new BaseCache(new FolderCacheStorage(join(scratch, `cache-${count}`)));
    const { content } = await start(cache);
    const copy = `${base}-copy`;
    await cp(base, copy, { recursive: true });
    expect(await start(cache, copy)).toMatchObject({ hashed: true, kept: false, content });
    expect(await start(cache, copy)).toMatchObject({ hashed: false, kept: false, content });
  });
});

it('a damaged image is deleted and made again from the files', async () => {
  const directory = memoryDirectory();
  const cache = new BaseCache(
    new BrowserCacheStorage(
      () => Promise.resolve(directory),
      async () => 1e9,
    ),
  );
  const first = await start(cache);
  const [entry] = directory.folders.values();
  entry!.files.get('base.safetensors')![20_000]! ^= 1;
  expect(await start(cache)).toMatchObject({ hashed: false, kept: true, notes: [], bytes: first.bytes });
  expect((await start(cache)).kept).toBe(false);
});

it('no space: one note, nothing is left behind, and the base is loaded anyway', async () => {
  let room = 1e9;
  const directory = memoryDirectory(() => room);
  const cache = new BaseCache(
    new BrowserCacheStorage(
      () => Promise.resolve(directory),
      async () => 1e9,
    ),
  );
  room = 100_000;
  const full = await start(cache);
  expect(full.notes).toEqual([
    'The quantized base could not be cached for the next start: the browser has no room for it.',
  ]);
  expect([...directory.folders.keys()]).toEqual([]);

  const path = join(scratch, 'not-a-folder');
  await writeFile(path, '');
  const refused = await start(new BaseCache(new FolderCacheStorage(path)));
  expect(refused.notes).toEqual([
    expect.stringMatching(
      /^The quantized base could not be cached for the next start: .*not-a-folder.* refuses it \(ENOTDIR\)\.$/,
    ),
  ]);
  expect(refused.bytes).toEqual(full.bytes);
});

it('what a dead process left half-written is cleared away, what a living one writes is not', async () => {
  const path = join(scratch, 'shared');
  const storage = new FolderCacheStorage(path);
  const living = await storage.begin('mine', 10);
  await cp(join(path, (await readdir(path))[0]!), join(path, '.other.999999999.partial'), {
    recursive: true,
  });
  await living.append('a', new Uint8Array(3));
  const next = await storage.begin('next', 10);
  expect((await readdir(path)).toSorted()).toEqual([
    `.mine.${process.pid}.partial`,
    `.next.${process.pid}.partial`,
  ]);
  await living.complete();
  await next.abandon();
  expect(await readdir(path)).toEqual(['mine']);
});

it('a run hashes its base while loading it, and later resumes from the cache alone', async () => {
  const cache = new BaseCache(new FolderCacheStorage(join(scratch, 'runs')));
  const inputs = await caseInputs('prequant');
  const call = async (change: object) => {
    const stop = new AbortController();
    const phases = new Set<string>();
    const stopped = run({
      inputs: { ...inputs, ...change },
      store: new MemoryStore(),
      baseCache: cache,
      signal: stop.signal,
      emit: (event) => {
        if (event.type !== 'phase') {
          return;
        }
        if (event.phase === 'compiling kernels') {
          stop.abort('far enough');
        }
        phases.add(event.phase);
      },
    });
    await expect(stopped).rejects.toBe('far enough');
    return phases;
  };
  const phases = await call({});
  expect(phases).not.toContain('hashing');
  expect(phases).toContain('caching the base');
  const { content } = (await cache.list())[0]!;
  const again = await call({ base: await cache.folder(content, inputs.recipe.quantization.useDoubleQuant) });
  expect(again).not.toContain('hashing');
  expect(again).not.toContain('caching the base');
  expect(again).toContain('loading the base');
});

it('a base that was loaded to measure how long a run will take is kept for the run', async () => {
  const cache = new BaseCache(new FolderCacheStorage(join(scratch, `cache-${count}`)));
  const inputs = { ...(await caseInputs('prequant')), base: await nodeFolder(base) };
  const gpu = await openNodeGpu('floor');
  await warmUp(
    inputs,
    () => Promise.resolve(gpu),
    () => undefined,
    { baseCache: cache },
  );
  gpu.close();
  expect(await start(cache)).toMatchObject({ hashed: false, kept: false, notes: [] });
});
