import { allFinite } from '../formats/finite.ts';
import { UserError } from '../formats/user-error.ts';
import { floatBytes, type FloatType } from './float-bytes.ts';
import { columnsOf, type MergedTensor, rowsOf } from './weights.ts';

/** Values computed at a time: 4 MiB as f32. */
const PIECE = 2 ** 20;

/** A tensor's rows, some at a time: a multiple of `unit` rows, as long as there are as many. */
export async function* rowPieces(tensor: MergedTensor, unit = 1): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const rows = rowsOf(tensor.shape);
  const atOnce = unit * Math.max(1, Math.floor(PIECE / (unit * columnsOf(tensor.shape))));
  const read = await tensor.open();
  for (let begin = 0; begin < rows; begin += atOnce) {
    yield await read(begin, Math.min(rows, begin + atOnce));
  }
}

/** The bytes of values in a type. Throws UserError naming the tensor if one is beyond what the type holds. */
export function encodeFloats(
  values: Float32Array<ArrayBuffer>,
  type: FloatType,
  name: string,
): Uint8Array<ArrayBuffer> {
  const bytes = floatBytes(values, type);
  if (!allFinite(type, bytes)) {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    throw new UserError(
      `${name}: once merged it holds the value ${largest}, more than ${type.toLowerCase()} can; choose the type ${type === 'F16' ? 'bf16' : 'f32'}.`,
    );
  }
  return bytes;
}
