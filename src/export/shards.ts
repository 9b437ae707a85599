import { safetensorsHeader } from '../formats/safetensors-write.ts';
import { byCodePoint } from '../formats/utf8.ts';
import { FLOAT_BYTES, type FloatType } from './float-bytes.ts';
import { type OutputFile, textOutput } from './output-file.ts';
import { encodeFloats, rowPieces } from './pieces.ts';
import type { MergedTensor } from './weights.ts';

/** A tensor and the type it is written in. */
export interface TypedTensor {
  readonly tensor: MergedTensor;
  readonly type: FloatType;
}

/** Maximum bytes of a shard, as transformers saves them. */
const MAX_SHARD = 5e9;

const product = (shape: readonly number[]): number => shape.reduce((all, n) => all * n, 1);
const bytesOf = ({ tensor, type }: TypedTensor): number => product(tensor.shape) * FLOAT_BYTES[type];

/**
 * model.safetensors or, where that would be larger than `maxShard` bytes, shards and their index.
 *
 * Reference: huggingface_hub, src/huggingface_hub/serialization (names and index).
 */
export function weightFiles(tensors: readonly TypedTensor[], maxShard = MAX_SHARD): OutputFile[] {
  const shards: TypedTensor[][] = [];
  let room = 0;
  for (const one of tensors) {
    const bytes = bytesOf(one);
    if (shards.length === 0 || bytes > room) {
      shards.push([]);
      room = maxShard;
    }
    shards.at(-1)!.push(one);
    room -= bytes;
  }
  const count = shards.length;
  if (count === 1) {
    return [safetensorsFile('model.safetensors', shards[0]!)];
  }
  const five = (n: number) => String(n).padStart(5, '0');
  const names = shards.map((_, i) => `model-${five(i + 1)}-of-${five(count)}.safetensors`);
  const places = shards.flatMap((shard, i) => shard.map(({ tensor }) => [tensor.name, names[i]!] as const));
  const index = {
    metadata: { total_size: tensors.reduce((sum, one) => sum + bytesOf(one), 0) },
    weight_map: Object.fromEntries(places.toSorted(([a], [b]) => byCodePoint(a, b))),
  };
  return [
    ...shards.map((shard, i) => safetensorsFile(names[i]!, shard)),
    textOutput('model.safetensors.index.json', `${JSON.stringify(index, null, 2)}\n`),
  ];
}

/** Wider types come first, as the safetensors crate aligns them. */
function safetensorsFile(path: string, tensors: readonly TypedTensor[]): OutputFile {
  const sorted = tensors.toSorted(
    (a, b) => FLOAT_BYTES[b.type] - FLOAT_BYTES[a.type] || byCodePoint(a.tensor.name, b.tensor.name),
  );
  const header = safetensorsHeader(
    sorted.map(({ tensor, type }) => ({ name: tensor.name, dtype: type, shape: tensor.shape })),
    { format: 'pt' },
  );
  return {
    path,
    bytes: header.length + sorted.reduce((sum, one) => sum + bytesOf(one), 0),
    chunks: async function* () {
      yield header;
      for (const { tensor, type } of sorted) {
        for await (const values of rowPieces(tensor)) {
          yield encodeFloats(values, type, tensor.name);
        }
      }
    },
  };
}
