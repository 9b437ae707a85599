import { type LoraWeights, type OpenAdapter, readPair } from '../formats/adapter.ts';
import { BASE_REMEDY, type BaseModel, linearSource } from '../formats/base-model.ts';
import { denseTensors, linearModules } from '../formats/decoder-weights.ts';
import { checkFinite } from '../formats/finite.ts';
import { dequantizeNf4, doubleDequantize, doubleQuantize, NF4_BLOCK, quantizeNf4 } from '../formats/nf4.ts';
import type { Nf4Source } from '../formats/nf4-checkpoint.ts';
import { decodeF32, readTensor, readTensorF32, type TensorInfo } from '../formats/safetensors.ts';
import type { FloatType } from './float-bytes.ts';

/** A weight of the merged model, computed as it is read. */
export interface MergedTensor {
  /** Its Hugging Face name. */
  readonly name: string;
  /** Row-major; one or two dimensions. */
  readonly shape: readonly number[];
  /** The type that the base stores it in; undefined where it stores codes of 4 bits. */
  readonly stored: FloatType | undefined;
  /** Reads what all of its rows need. */
  open(): Promise<RowReader>;
}

/** The f32 values of whole rows; a tensor of one dimension is one row. */
export type RowReader = (begin: number, end: number) => Promise<Float32Array<ArrayBuffer>>;

/** The weights that an adapter is merged onto: as they are stored, or as training saw them. */
export const ONTO = ['base', 'nf4'] as const;
export type Onto = (typeof ONTO)[number];

export interface Merging {
  base: BaseModel;
  /** undefined: the base alone. */
  adapter: OpenAdapter | undefined;
  onto: Onto;
  /** With `nf4`: whether the scales are quantized too, as the recipe said. */
  doubleQuant: boolean;
}

export const rowsOf = (shape: readonly number[]): number => (shape.length === 2 ? shape[0]! : 1);
export const columnsOf = (shape: readonly number[]): number => shape.at(-1)!;

/**
 * Every weight of the merged model: W, or W + scaling · B · A where the adapter has the module. The sum is in f32.
 *
 * Reference: PEFT, src/peft/tuners/lora/layer.py (get_delta_weight, merge).
 */
export function mergedTensors({ base, adapter, onto, doubleQuant }: Merging): MergedTensor[] {
  const pairs = new Map(adapter?.sources.map((pair) => [pair.module.name, pair]));
  const linear = linearModules(base.config).map(({ name, shape }): MergedTensor => {
    const source = linearSource(base, name);
    const requantize = onto === 'nf4' && source.kind === 'dense';
    return {
      name: `${name}.weight`,
      shape,
      stored: source.kind === 'nf4' ? undefined : (source.weight.dtype as FloatType),
      open: async () => {
        const stored = source.kind === 'nf4' ? await nf4Values(source) : denseValues(source.weight);
        const values = requantize ? await requantized(stored, shape, doubleQuant) : stored;
        const pair = pairs.get(name) && (await readPair(pairs.get(name)!));
        return async (begin, end) => {
          const rows = await values(begin * shape[1], end * shape[1]);
          if (pair) {
            addDelta(rows, pair, begin);
          }
          return rows;
        };
      },
    };
  });
  const others = [...denseTensors(base.config)].map(([name, shape]): MergedTensor => {
    const info = base.tensors.get(name)!;
    const columns = columnsOf(shape);
    const values = denseValues(info);
    return {
      name,
      shape,
      stored: info.dtype as FloatType,
      open: () => Promise.resolve((begin, end) => values(begin * columns, end * columns)),
    };
  });
  return [...others, ...linear];
}

/** The f32 values [begin, end) of a tensor in row-major order. */
type Values = (begin: number, end: number) => Promise<Float32Array<ArrayBuffer>>;

function denseValues(info: TensorInfo): Values {
  const size = { F32: 4, F16: 2, BF16: 2 }[info.dtype as FloatType];
  return async (begin, end) => {
    const bytes = new Uint8Array((end - begin) * size);
    await info.source.read(info.begin + begin * size, bytes);
    checkFinite(info, bytes, BASE_REMEDY, begin * size);
    return decodeF32(info, bytes);
  };
}

/** Code × absmax, in f32. */
async function nf4Values(source: Nf4Source): Promise<Values> {
  const absmax = await absmaxOf(source);
  const { packed } = source;
  return aligned(async (begin, end) => {
    const bytes = new Uint8Array((end - begin) / 2);
    await packed.source.read(packed.begin + begin / 2, bytes);
    return dequantizeNf4(bytes, absmax.subarray(begin / NF4_BLOCK), end - begin);
  }, source.shape);
}

async function absmaxOf({ absmax, nested }: Nf4Source): Promise<Float32Array> {
  if (!nested) {
    return floats(absmax);
  }
  const [codes, second, map] = [
    await readTensor(absmax),
    await floats(nested.absmax),
    await floats(nested.map),
  ];
  return doubleDequantize(codes, second, nested.offset, nested.blocksize, map);
}

async function floats(info: TensorInfo): Promise<Float32Array> {
  const values = await readTensorF32(info);
  checkFinite(info, new Uint8Array(values.buffer), BASE_REMEDY);
  return values;
}

/** Values read at a time to find a tensor's scales. */
const PIECE = 2 ** 20;

/** A weight quantized to NF4 and back, as training sees it. */
async function requantized(
  dense: Values,
  shape: readonly [number, number],
  doubleQuant: boolean,
): Promise<Values> {
  // The scales are quantized together, about their mean, so all must be known before the first value is.
  const total = shape[0] * shape[1];
  const exact = new Float32Array(Math.ceil(total / NF4_BLOCK));
  for (let at = 0; at < total; at += PIECE) {
    exact.set(quantizeNf4(await dense(at, Math.min(total, at + PIECE))).absmax, at / NF4_BLOCK);
  }
  const absmax = doubleQuant ? doublyQuantized(exact) : exact;
  return aligned(async (begin, end) => {
    const { packed } = quantizeNf4(await dense(begin, end));
    return dequantizeNf4(packed, absmax.subarray(begin / NF4_BLOCK), end - begin);
  }, shape);
}

function doublyQuantized(absmax: Float32Array): Float32Array {
  const { codes, absmax2, offset } = doubleQuantize(absmax);
  return doubleDequantize(codes, absmax2, offset);
}

/** A reader of whole blocks made one of any values: rows may begin in the middle of a block. */
function aligned(read: Values, [rows, columns]: readonly [number, number]): Values {
  return async (begin, end) => {
    const from = Math.floor(begin / NF4_BLOCK) * NF4_BLOCK;
    const to = Math.min(rows * columns, Math.ceil(end / NF4_BLOCK) * NF4_BLOCK);
    return (await read(from, to)).slice(begin - from, end - from);
  };
}

/** Adds scaling · B · A to rows from `first` on. Four products at a time are summed before they are rounded. */
function addDelta(rows: Float32Array, { module, A, B }: LoraWeights, first: number): void {
  const { r, inFeatures: columns, scaling } = module;
  const s = Math.fround(scaling);
  const delta = new Float32Array(columns);
  for (let row = 0; row < rows.length / columns; row++) {
    delta.fill(0);
    const b = (first + row) * r;
    for (let i = 0; i < r; i += 4) {
      const left = Math.min(4, r - i);
      const b0 = B[b + i]!;
      const b1 = left > 1 ? B[b + i + 1]! : 0;
      const b2 = left > 2 ? B[b + i + 2]! : 0;
      const b3 = left > 3 ? B[b + i + 3]! : 0;
      const [a0, a1] = [i * columns, (left > 1 ? i + 1 : i) * columns];
      const [a2, a3] = [(left > 2 ? i + 2 : i) * columns, (left > 3 ? i + 3 : i) * columns];
      for (let k = 0; k < columns; k++) {
        delta[k] = delta[k]! + b0 * A[a0 + k]! + b1 * A[a1 + k]! + b2 * A[a2 + k]! + b3 * A[a3 + k]!;
      }
    }
    const at = row * columns;
    for (let k = 0; k < columns; k++) {
      rows[at + k] = rows[at + k]! + Math.fround(s * delta[k]!);
    }
  }
}
