import { stat } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { type BenchDisk, measureLoading } from '../../../src/bench/loading.ts';
import { givenBase, syntheticBaseFiles } from '../../../src/cli/bench-disk.ts';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';

const call = { openGpu: () => openNodeGpu(), rounds: 1, onProgress: () => undefined };

let disk: BenchDisk;
afterEach(() => disk.close());

it('a base of a model’s first layers is written, loaded, cached, loaded again and removed', async () => {
  disk = await syntheticBaseFiles('tiny', 1);
  const { title, rows } = await measureLoading(disk, call);
  expect(title).toContain('tiny, one layer');
  // A layer of hidden size 64, half of the vocabulary of 512, in two bytes each, behind a header.
  const parameters = 256 * 64 + 64 + 2 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 64 + 2 * 32 + 3 * 64 * 160;
  const read = new Map(rows.map(([what, MiB]) => [what as string, 2 ** 20 * (MiB as number)]));
  const near = (what: string, bytes: number) => {
    expect(read.get(what), what).toBeGreaterThanOrEqual(bytes);
    expect(read.get(what), what).toBeLessThan(bytes + 4096);
  };
  near('reading from end to end', 2 * parameters);
  // A small file's fingerprint covers all its bytes; besides that, a first start reads it once.
  near('first start, until the base is on the device: hash, quantize', 2 * (2 * parameters));
  expect(read.get('second start, from the cache')).toBeLessThan(3.5 * parameters);
  for (const [, , seconds] of rows.slice(0, -1)) {
    expect((seconds as { speed: number }).speed).toBeGreaterThan(0);
  }
  // The cache is removed between rounds, the base at the end.
  expect(await disk.storage.entries()).toEqual([]);
  await disk.close();
  await expect(stat(disk.folder.name)).rejects.toThrow('ENOENT');
});

it('a base that is given stays', async () => {
  const path = 'tests/fixtures/cases/recipe_text/base';
  disk = await givenBase(path);
  expect(disk.title).toBe(path);
  await disk.forget();
  await disk.close();
  expect((await stat(`${path}/model.safetensors`)).isFile()).toBe(true);
});
