import { unzipSync } from 'fflate';
import { expect, it } from 'vitest';
import { zipped } from '../../../src/engine/runs/export.ts';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import { Random } from '../../support/random.ts';

it('a zip holds every file, also those of several pieces and of none, with the same bytes each time', async () => {
  const random = new Random(7);
  const files = [0, 1, 9 * 2 ** 20 + 5].map((size, i) => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 4099) {
      bytes[at] = random.u32() & 255;
    }
    return { path: i === 2 ? 'checkpoint-3/optimizer.safetensors' : `file-${i}`, bytes };
  });
  const made = async () => {
    const sources = files.map(({ path, bytes }) => ({ path, source: bytesSource(path, bytes) }));
    return new Uint8Array(await (await zipped(sources, new Date(1.7e12))).arrayBuffer());
  };
  const zip = await made();
  const unzipped = unzipSync(zip);
  expect(Object.keys(unzipped)).toEqual(files.map(({ path }) => path));
  for (const { path, bytes } of files) {
    expect(Buffer.from(unzipped[path]!).equals(bytes), path).toBe(true);
  }
  expect(Buffer.from(await made()).equals(zip)).toBe(true);
});
