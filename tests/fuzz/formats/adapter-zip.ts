import { zipSync } from 'fflate';
import { openAdapterZip } from '../../../src/engine/files/inspect.ts';
import { fixtures } from '../fixtures.ts';
import { expectSame, type Files, type Format, INPUT } from '../format.ts';
import { mutateBytes } from '../mutate/bytes.ts';

const FILE = `${INPUT}.zip`;

const packed = (files: Files, level: 0 | 6): Files => ({
  [FILE]: zipSync({ ...files }, { level, mtime: new Date(2026, 0, 1) }),
});

async function opened(bytes: Uint8Array): Promise<Files> {
  const { files } = await openAdapterZip(new File([bytes as Uint8Array<ArrayBuffer>], FILE));
  return Object.fromEntries(
    await Promise.all(
      files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const),
    ),
  );
}

/** The zip of an adapter, chosen as V1. */
export const adapterZip: Format = {
  name: 'adapter-zip',
  cut: [],
  seeds() {
    const { 'adapter_config.json': config } = fixtures('cases/recipe_text/v1');
    const small = { 'adapter_config.json': config!, 'adapter_model.safetensors': new Uint8Array(300) };
    const nested = Object.fromEntries(Object.entries(small).map(([name, bytes]) => [`v1/${name}`, bytes]));
    return [packed(small, 0), packed({ ...small, ...nested }, 6), packed(nested, 6)];
  },
  mutate: (random, files, seeds) => ({
    [FILE]: mutateBytes(
      random,
      files[FILE]!,
      seeds.map((seed) => seed[FILE]!),
      ['PK\u0001\u0002', 'PK\u0005\u0006', 'PK\u0003\u0004', '../', 'v1/', 'adapter_config.json'],
    ),
  }),
  async read(files) {
    const found = await opened(files[FILE]!);
    expectSame(await opened(packed(found, 6)[FILE]!), found, 'packed and opened again');
  },
};
