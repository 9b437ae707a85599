import { openBaseWeights } from '../../../src/formats/base-weights.ts';
import { fixtures } from '../fixtures.ts';
import { expectTrue, folderOf, type Format, INPUT } from '../format.ts';
import { mutateJson } from '../mutate/json.ts';

const FILE = 'model.safetensors.index.json';
const WORDS = [
  ...[
    '"model-00001-of-00003.safetensors"',
    '"model-00003-of-00003.safetensors"',
    '"model.safetensors"',
    '"config.json"',
  ],
  ...[
    '"../base/model.safetensors"',
    '"/etc/passwd"',
    '"pytorch_model-1.bin"',
    '"..safetensors"',
    '"a/../b.safetensors"',
  ],
  ...[
    '"C:x.safetensors"',
    '"x\\\\y.safetensors"',
    '"\\u001b[2J.safetensors"',
    '"x\\u0000.safetensors"',
    '".safetensors"',
  ],
];

/** The index of a sharded base, beside its shards. */
export const indexJson: Format = {
  name: 'index.json',
  cut: [FILE],
  seeds: () => [fixtures('cases/llama_sharded/base')],
  mutate: (random, files) => ({ ...files, [FILE]: mutateJson(random, files[FILE]!, WORDS) }),
  async read(files) {
    const { files: shards, tensors } = await openBaseWeights(folderOf(files));
    expectTrue(shards.length > 0 && tensors.size > 0, 'nothing is in it');
    const outside = shards.find(({ name }) => !Object.hasOwn(files, name.slice(INPUT.length + 1)));
    expectTrue(outside === undefined, `${outside?.name} is no file of the folder`);
  },
};
