import type { BaseModel } from '../formats/base-model.ts';
import type { ByteSource } from '../formats/byte-source.ts';
import { linearModules } from '../formats/decoder-weights.ts';
import { allFinite } from '../formats/finite.ts';
import type { TensorInfo } from '../formats/safetensors.ts';
import { UserError } from '../formats/user-error.ts';
import { FLOAT_BYTES, floatBytes, type FloatType } from './float-bytes.ts';
import { blockValues } from './gguf/decode-blocks.ts';
import { encodeAs, isFloat } from './gguf/encode.ts';
import type { GgmlType } from './gguf/file.ts';
import type { Source } from './source.ts';
import { columnsOf, type MergedTensor, mergedTensors, type RowReader, rowsOf } from './weights.ts';

/** How an export stores each weight. */
export type StoredAs = (tensor: MergedTensor) => GgmlType;

/** Values computed at a time: between two, the thread may do other things. */
const PIECE = 2 ** 20;

/**
 * The merged model as the engine reads a base, none of it to be quantized: with the values that an export has, which
 * are computed as they are read. The device multiplies by weights of 16 bits, so matrices stored in another type
 * become f16, whose rounding is 2^-11 of a value; vectors are f32.
 */
export function writtenModel(source: Source, storedAs: StoredAs): BaseModel {
  const { base } = source;
  const tensors = mergedTensors(source).map((tensor) => writtenTensor(tensor, storedAs(tensor)));
  return {
    ...base,
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    quantized: false,
    nf4: new Map(),
    kept: new Set(linearModules(base.config).map(({ name }) => name)),
  };
}

/** The type that values stored as `type` are evaluated in. */
function evaluatedAs(type: GgmlType, shape: readonly number[]): FloatType {
  if (type === 'BF16' || type === 'F16') {
    return type;
  }
  return shape.length < 2 ? 'F32' : 'F16';
}

function writtenTensor(tensor: MergedTensor, stored: GgmlType): TensorInfo {
  const { name, shape } = tensor;
  const dtype = evaluatedAs(stored, shape);
  const columns = columnsOf(shape);
  const rowBytes = FLOAT_BYTES[dtype] * columns;
  const atOnce = Math.max(1, Math.floor(PIECE / columns));
  let opened: Promise<RowReader> | undefined;
  const source: ByteSource = {
    name,
    size: rowsOf(shape) * rowBytes,
    read: async (begin, into) => {
      const reader = await (opened ??= tensor.open());
      const end = begin + into.length;
      const last = Math.ceil(end / rowBytes);
      for (let row = Math.floor(begin / rowBytes); row < last; row += atOnce) {
        const bytes = evaluated(await reader(row, Math.min(last, row + atOnce)), stored, dtype, name);
        const at = row * rowBytes - begin;
        into.set(bytes.subarray(Math.max(0, -at), into.length - at), Math.max(0, at));
      }
      if (end === source.size) {
        // What all of its rows needed is needed no more.
        opened = undefined;
      }
    },
  };
  return { name, dtype, shape, source, begin: 0, end: source.size };
}

/** Values as they are stored, in the type that they are evaluated in. */
function evaluated(
  values: Float32Array<ArrayBuffer>,
  stored: GgmlType,
  dtype: FloatType,
  name: string,
): Uint8Array<ArrayBuffer> {
  const bytes = encodeAs(stored, values, name);
  if (stored === dtype) {
    return bytes;
  }
  const rounded = floatBytes(isFloat(stored) ? values : blockValues(stored, bytes), dtype);
  if (!allFinite(dtype, rounded)) {
    throw new UserError(
      `${name}: once merged it holds a value beyond what f16 can hold, in which it would be evaluated; export without rows to evaluate on, or in bf16.`,
    );
  }
  return rounded;
}
