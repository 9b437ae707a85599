import { expect, it } from 'vitest';
import quantize from '../../../shaders/linear/nf4_quantize.wgsl';
import repack from '../../../shaders/linear/nf4_repack.wgsl';
import { bytesSource, type Folder } from '../../../src/formats/byte-source.ts';
import { sha256Chunks } from '../../../src/formats/sha256.ts';
import { IMAGE_LAYOUT, type Manifest, readManifest } from '../../../src/model/base/cache/manifest.ts';

const folder = (text: string): Folder => ({
  name: 'cache/entry',
  list: () => Promise.resolve(['manifest.json']),
  open: (file) => Promise.resolve(bytesSource(`cache/entry/${file}`, new TextEncoder().encode(text))),
});

const manifest: Manifest = {
  name: 'Qwen',
  doubleQuant: true,
  created: 1764400000000,
  lastUsed: 1764400000001,
  content: 'a',
  layout: 'b',
  checksum: 'c',
  fingerprints: ['d'],
};

it('reads back what is written', async () =>
  expect(await readManifest(folder(JSON.stringify(manifest)))).toEqual(manifest));

it.each<object>([
  { name: 5 },
  { doubleQuant: 'yes' },
  { created: undefined },
  { lastUsed: 1e300 },
  { lastUsed: 'x' },
  { content: '' },
  { layout: null },
  { checksum: [] },
  { fingerprints: [5] },
  { fingerprints: 'd' },
])('is none of ours with %o', async (change) =>
  expect(await readManifest(folder(JSON.stringify({ ...manifest, ...change })))).toBeUndefined(),
);

it.each(['[]', '7', 'null'])('is none of ours as %s', async (text) =>
  expect(await readManifest(folder(text))).toBeUndefined(),
);

it('is read strictly', async () => {
  for (const text of ['{"name": "a", "name": "b"}', '{"name": NaN}', '{"na', '\xff']) {
    await expect(readManifest(folder(text))).rejects.toThrow(/^cache\/entry\/manifest\.json: not valid JSON/);
  }
});

it('is of the layout that the kernels write, also as earlier versions called it', async () => {
  expect(IMAGE_LAYOUT).toBe('63e3f990ef0e0a1d4760e429a262266aa75d09104984a01ac5266a8d64b9f1d9');
  const code = (quantize + repack).replace(/\/\/.*/g, '').replace(/\s+/g, ' ');
  // Where this fails the kernels have changed. If codes now lie elsewhere, IMAGE_LAYOUT must change too.
  expect(await sha256Chunks([new TextEncoder().encode(code)])).toBe(
    '841c23a45d5e1db95b4d25e9bb2758ce42bcbd7df51a96c10df3e77ba5f8c531',
  );
});
