import { shorten } from './quote.ts';
import type { Dtype, TensorInfo } from './safetensors.ts';
import { UserError } from './user-error.ts';

/**
 * The lowest exponent bit of each float in a 32-bit word (one float or two halves); the bit above an exponent is a
 * sign.
 */
interface Layout {
  readonly exponents: number;
  readonly lowest: number;
  readonly signs: number;
}

const HALVES = { signs: 0x80008000 } as const;
const LAYOUTS: ReadonlyMap<Dtype, Layout> = new Map([
  ['F32', { exponents: 0x7f800000, lowest: 0x00800000, signs: 0x80000000 }],
  ['BF16', { exponents: 0x7f807f80, lowest: 0x00800080, ...HALVES }],
  ['F16', { exponents: 0x7c007c00, lowest: 0x04000400, ...HALVES }],
]);

/** Bytes read at a time. */
const PIECE = 2 ** 22;

/**
 * Whether little-endian bytes of an F32, F16 or BF16 tensor contain neither NaN nor infinity; true for other
 * dtypes.
 */
export function allFinite(dtype: Dtype, bytes: Uint8Array): boolean {
  const layout = LAYOUTS.get(dtype);
  if (!layout) {
    return true;
  }
  const { exponents, lowest, signs } = layout;
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Int32Array(buffer, byteOffset, length >> 2);
  // Adding one carries into the sign only if all exponent bits are ones. Gigabytes pass through here, so no
  // branches.
  let carried =
    length % 4 === 0 ? 0 : ((bytes[length - 2]! | (bytes[length - 1]! << 8)) & exponents) + lowest;
  for (let i = 0; i < words.length; i++) {
    carried |= ((words[i]! & exponents) + lowest) | 0;
  }
  return (carried & signs) === 0;
}

type Named = Pick<TensorInfo, 'name' | 'dtype' | 'shape' | 'source'>;

/**
 * The error of a tensor whose value `element` of the row-major order, the first such one where it is known, is not
 * finite.
 */
export function notFinite(
  { name, shape, source }: Named,
  element: number | undefined,
  remedy: string,
): UserError {
  const at = element === undefined ? '' : ` at [${indexOf(element, shape).join(', ')}]`;
  return new UserError(
    `${source.name}: ${shorten(name)} holds a value that is not finite${at}, expected numbers; ${remedy}.`,
  );
}

function indexOf(element: number, shape: readonly number[]): number[] {
  const index = [];
  let rest = element;
  for (const size of shape.toReversed()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}

/**
 * Throws UserError naming file and tensor if bytes of the tensor are not all finite; `remedy` says what to do. `begin`:
 * the byte of the tensor from which they are, by which the position is named too; of a whole tensor's bytes it is 0.
 */
export function checkFinite(info: Named, bytes: Uint8Array, remedy: string, begin?: number): void {
  const { dtype, shape } = info;
  if (allFinite(dtype, bytes)) {
    return;
  }
  const size = dtype === 'F32' ? 4 : 2;
  const whole = bytes.length === size * shape.reduce((product, n) => product * n, 1);
  const from = begin ?? (whole ? 0 : undefined);
  if (from === undefined) {
    throw notFinite(info, undefined, remedy);
  }
  for (let at = 0; ; at += size) {
    if (!allFinite(dtype, bytes.subarray(at, at + size))) {
      throw notFinite(info, (from + at) / size, remedy);
    }
  }
}

/** Reads a tensor and throws UserError as `checkFinite` does; `onBytes` gets the bytes of every piece read. */
export async function checkTensor(
  info: TensorInfo,
  remedy: string,
  onBytes?: (bytes: number) => void,
): Promise<void> {
  let begin = 0;
  for await (const piece of tensorPieces(info)) {
    checkFinite(info, piece, remedy, begin);
    onBytes?.(piece.length);
    begin += piece.length;
  }
}

/** The tensor's bytes, piece by piece; each piece is overwritten by the next. */
export async function* tensorPieces({ source, begin, end }: TensorInfo): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(PIECE, end - begin));
  for (let at = begin; at < end; at += PIECE) {
    const piece = buffer.subarray(0, Math.min(PIECE, end - at));
    await source.read(at, piece);
    yield piece;
  }
}
