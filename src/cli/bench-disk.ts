import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchDisk } from '../bench/loading.ts';
import { benchModel, modelConfig, type ModelName, modelTitle } from '../bench/models.ts';
import { safetensorsHeader } from '../formats/safetensors-write.ts';
import { Xoshiro128 } from '../formats/xoshiro128.ts';
import { FolderCacheStorage } from './base-cache.ts';
import { onDisk } from './durable-files.ts';
import { interrupt } from './interrupt.ts';
import { nodeFolder } from './node-files.ts';

/** The place's name in messages. */
const TMPDIR = 'TMPDIR';

/**
 * Where the benchmark writes: the folder for temporary files; TMPDIR selects another disk. It may hold gigabytes,
 * so a signal waits until they are deleted.
 */
async function newFolder(): Promise<string> {
  const place = join(tmpdir(), 'retune-bench-');
  const made = await onDisk(place, 0, () => mkdtemp(place), TMPDIR);
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  interrupt.handle('end', {});
  return made;
}

/** An existing base. */
export async function givenBase(path: string): Promise<BenchDisk> {
  const folder = await nodeFolder(path);
  return disk(path, folder.name, await newFolder());
}

/** A base of a model's shapes, or of its first layers, written for the benchmark: random bf16 weights. */
export async function syntheticBaseFiles(name: ModelName, layers?: number): Promise<BenchDisk> {
  const made = await newFolder();
  const path = join(made, 'base');
  try {
    const { tensors } = benchModel(name, layers);
    const bytes = [...tensors.values()].at(-1)!.end;
    await onDisk(path, bytes, () => writeBase(path, name, layers), TMPDIR);
    const part = layers === undefined ? '' : `, ${layers === 1 ? 'one layer' : `${layers} layers`}`;
    return await disk(path, `random weights of ${modelTitle(name)}${part}`, made);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw error;
  }
}

async function disk(path: string, title: string, made: string): Promise<BenchDisk> {
  const cache = join(made, 'cache');
  return {
    title,
    folder: await nodeFolder(path),
    storage: new FolderCacheStorage(cache),
    forget: async () => {
      for (const folder of [path, cache]) {
        await forget(folder);
      }
    },
    close: () => rm(made, { recursive: true, force: true }),
  };
}

/** Random bytes, written repeatedly. */
const POOL = 2 ** 24;

async function writeBase(path: string, name: ModelName, layers: number | undefined): Promise<void> {
  const random = Xoshiro128.seeded(1);
  // Pairs of bf16 of either sign, with magnitudes from 0.008 to 0.03.
  const words = Uint32Array.from({ length: POOL / 4 }, () => (random.u32() & 0x80ff80ff) | 0x3c003c00);
  const pool = new Uint8Array(words.buffer);
  const tensors = [...benchModel(name, layers).tensors.values()];
  await mkdir(path);
  await writeFile(join(path, 'config.json'), JSON.stringify(modelConfig(name, layers)));
  const file = await open(join(path, 'model.safetensors'), 'w');
  try {
    await file.writeFile(
      safetensorsHeader(tensors.map((t) => ({ name: t.name, dtype: t.dtype, shape: t.shape }))),
    );
    const bytes = tensors.at(-1)!.end;
    for (let at = 0; at < bytes; at += POOL) {
      await file.writeFile(pool.subarray(0, Math.min(POOL, bytes - at)));
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

const run = promisify(execFile);

/** Asks Linux to drop its cached copies of a folder's files; if dd cannot, they stay. */
async function forget(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) {
      continue;
    }
    const path = join(entry.parentPath, entry.name);
    await run('sync', ['-d', path]).catch(() => undefined);
    await run('dd', [`if=${path}`, 'iflag=nocache', 'count=0']).catch(() => undefined);
  }
}
