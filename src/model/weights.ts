import type { DecoderConfig } from '../formats/decoder-config.ts';
import { type LinearModule, linearModules, type Projection } from '../formats/decoder-weights.ts';
import type { DenseFormat, LinearWeight } from '../gpu/kernels/linear/nf4-operands.ts';
import type { Table } from '../gpu/kernels/lm-head/lm-head.ts';
import type { FloatFormat } from '../gpu/kernels/shared/float-format.ts';
import type { BufferView } from '../gpu/memory.ts';
import { type Allocation, type Allocations, keyWidth, queryWidth } from './allocations.ts';

/** A frozen linear layer on the device. */
export interface Linear {
  weight: LinearWeight;
  bias?: BufferView | undefined;
}

/** A frozen decoder layer on the device. */
export interface LayerWeights {
  inputNorm: BufferView;
  postNorm: BufferView;
  /** Qwen3: RMSNorm over head_dim on q and k. */
  qNorm?: BufferView | undefined;
  kNorm?: BufferView | undefined;
  linear: Record<Projection, Linear>;
}

/** The frozen base on the device. */
export interface DecoderWeights {
  config: DecoderConfig;
  layers: LayerWeights[];
  embedding: Table;
  /** The same table as `embedding` if the checkpoint ties them. */
  head: Table;
  finalNorm: BufferView;
  /** cos and sin, f32 [maxPositions, headDim/2, 2]. */
  rope: BufferView;
}

/** How a linear weight is stored: as NF4, with or without double quantization, or in 16 bits. */
export type WeightStorage =
  { format: DenseFormat } | { format?: undefined; nestedBlock?: number | undefined };

/** A table's bindings stay below WebGPU's guaranteed 128 MiB. */
const PART_BYTES = 2 ** 27;

export const FORMAT_BYTES: Record<FloatFormat, number> = { bf16: 2, f16: 2, f32: 4 };

/** Splits a table [vocab, width] by rows, below the binding limit. */
export function tableParts(
  vocab: number,
  width: number,
  format: FloatFormat,
): { begin: number; count: number }[] {
  const rows = Math.floor(PART_BYTES / (width * FORMAT_BYTES[format]));
  const parts = [];
  for (let begin = 0; begin < vocab; begin += rows) {
    parts.push({ begin, count: Math.min(rows, vocab - begin) });
  }
  return parts;
}

/** Offsets of the parts of double-quantized scales, in words: codes, then absmax, then the map's 256 values. */
export function nestedLayout(blocks: number, nestedBlock: number) {
  const absmaxAt = Math.ceil(blocks / 4);
  const mapAt = absmaxAt + Math.ceil(blocks / nestedBlock);
  return { absmaxAt, mapAt, words: mapAt + 256 };
}

/** Buffers of a weight that stays in 16 bits. */
export function denseAllocations({ shape: [columns, depth] }: LinearModule) {
  return { values: { kind: 'base weights', bytes: 2 * columns * depth } } as const;
}

/** Buffers of one NF4 weight. */
export function nf4Allocations(
  { shape: [columns, depth] }: LinearModule,
  { nestedBlock }: { nestedBlock?: number | undefined },
) {
  const blocks = Math.ceil((columns * depth) / 64);
  const words = nestedBlock ? nestedLayout(blocks, nestedBlock).words : blocks;
  return {
    codes: { kind: 'base weights', bytes: (columns * depth) / 2 },
    scales: { kind: 'base scales', bytes: 4 * words },
  } as const;
}

/** Buffers of one layer's norms and biases. */
export function smallAllocations(c: DecoderConfig): Allocations {
  const small = (width: number): Allocation => ({ kind: 'norms and biases', bytes: 4 * width });
  const [q, kv] = [queryWidth(c), keyWidth(c)];
  return {
    inputNorm: small(c.hiddenSize),
    postNorm: small(c.hiddenSize),
    ...(c.qkNorm ? { qNorm: small(c.headDim), kNorm: small(c.headDim) } : {}),
    ...(c.qkvBias ? { q_proj: small(q), k_proj: small(kv), v_proj: small(kv) } : {}),
  };
}

/** Buffers outside the layers. `positions`: rows of the rotary table. */
export function outerAllocations(
  c: DecoderConfig,
  format: FloatFormat,
  headFormat: FloatFormat,
  positions: number,
) {
  const table = (name: string, f: FloatFormat): Allocations =>
    Object.fromEntries(
      tableParts(c.vocabSize, c.hiddenSize, f).map(({ count }, i) => [
        `${name} part ${i}`,
        { kind: 'embedding', bytes: count * c.hiddenSize * FORMAT_BYTES[f] },
      ]),
    );
  return {
    embedding: table('embedding', format),
    head: c.tied ? {} : table('head', headFormat),
    other: {
      finalNorm: { kind: 'norms and biases', bytes: 4 * c.hiddenSize },
      rope: { kind: 'norms and biases', bytes: 4 * c.headDim * positions },
    },
  } as const satisfies Record<string, Allocations>;
}

/** All allocations of a base. `storage` says how each weight is stored. */
export function baseAllocations(
  c: DecoderConfig,
  storage: (module: LinearModule) => WeightStorage,
  format: FloatFormat,
  headFormat: FloatFormat,
  positions: number,
): Allocations[] {
  const outer = outerAllocations(c, format, headFormat, positions);
  const sets: Allocations[] = [outer.embedding, outer.head, outer.other];
  for (let layer = 0; layer < c.layers; layer++) {
    sets.push(smallAllocations(c));
  }
  for (const module of linearModules(c)) {
    const stored = storage(module);
    sets.push(stored.format ? denseAllocations(module) : nf4Allocations(module, stored));
  }
  return sets;
}
