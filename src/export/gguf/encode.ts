import { encodeFloats } from '../pieces.ts';
import { quantizeQ5, quantizeQ5Affine, quantizeQ8 } from './block-quants.ts';
import type { BlockType } from './decode-blocks.ts';
import type { GgmlType } from './file.ts';
import { quantizeQ4K, quantizeQ5K, quantizeQ6K } from './k-quants.ts';

const QUANTIZERS: Readonly<Record<BlockType, (values: Float32Array) => Uint8Array<ArrayBuffer>>> = {
  Q5_0: quantizeQ5,
  Q5_1: quantizeQ5Affine,
  Q8_0: quantizeQ8,
  Q4_K: quantizeQ4K,
  Q5_K: quantizeQ5K,
  Q6_K: quantizeQ6K,
};

/** Values of the tensor `name` as they are stored. Throws UserError for one beyond what the type holds. */
export function encodeAs(
  type: GgmlType,
  values: Float32Array<ArrayBuffer>,
  name: string,
): Uint8Array<ArrayBuffer> {
  return isFloat(type) ? encodeFloats(values, type, name) : QUANTIZERS[type](values);
}

/** Whether a type has its values one by one, not in blocks. */
export const isFloat = (type: GgmlType): type is Exclude<GgmlType, BlockType> =>
  type === 'F32' || type === 'F16' || type === 'BF16';
