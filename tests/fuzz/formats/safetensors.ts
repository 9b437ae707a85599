import { openSafetensors, readTensor, type Safetensors } from '../../../src/formats/safetensors.ts';
import { writeSafetensors } from '../../../src/formats/safetensors-write.ts';
import { joinBytes, source } from '../../support/memory-folder.ts';
import { CASES, fixture } from '../fixtures.ts';
import { expectSame, type Format, INPUT } from '../format.ts';
import { mutateSafetensors } from '../mutate/safetensors.ts';

const FILE = 'model.safetensors';

const LARGE = [
  ...CASES.filter((name) => name !== 'llama_sharded').map((name) => `cases/${name}/base/${FILE}`),
  ...[1, 2, 3].map((shard) => `cases/llama_sharded/base/model-0000${shard}-of-00003.safetensors`),
  ...CASES.map((name) => `cases/${name}/v1/adapter_model.safetensors`),
  'adamw8bit.safetensors',
  'adamw8bit_decay.safetensors',
];

/** Any safetensors file: its header and layout. */
export const safetensors: Format = {
  name: 'safetensors',
  seeds: () =>
    [
      'formats/python.safetensors',
      'run/adapter_model.safetensors',
      'run/checkpoint-2/optimizer.safetensors',
    ].map((path) => ({
      [FILE]: fixture(path),
    })),
  large: () => LARGE.map((path) => ({ [FILE]: fixture(path) })),
  mutate: (random, files, seeds) => ({
    [FILE]: mutateSafetensors(
      random,
      files[FILE]!,
      seeds.map((seed) => seed[FILE]!),
    ),
  }),
  async read(files) {
    const read = await openSafetensors(source(`${INPUT}/${FILE}`, files[FILE]!));
    const tensors = await wholeTensors(read);
    const written = joinBytes(writeSafetensors(tensors, read.metadata));
    const again = await openSafetensors(source(FILE, written));
    const byName = (list: typeof tensors) => Object.fromEntries(list.map((tensor) => [tensor.name, tensor]));
    expectSame(byName(await wholeTensors(again)), byName(tensors), 'written and read again');
    expectSame(again.metadata, read.metadata, 'the metadata written and read again');
  },
};

/** The tensors with their bytes. */
function wholeTensors({ tensors }: Safetensors) {
  return Promise.all(
    [...tensors.values()].map(async (info) => {
      const { name, dtype, shape } = info;
      return { name, dtype, shape, data: await readTensor(info) };
    }),
  );
}
