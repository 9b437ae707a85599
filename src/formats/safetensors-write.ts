import { DTYPE_BITS, type Dtype } from './safetensors.ts';
import { byCodePoint, encodeUtf8 } from './utf8.ts';

export interface TensorData {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Row-major, little-endian. */
  readonly data: Uint8Array;
}

const RANK = new Map(Object.keys(DTYPE_BITS).map((dtype, rank) => [dtype, rank]));

/**
 * The bytes of a safetensors file as chunks to be written one after the other: the header, then each tensor's own
 * data, uncopied. Order and padding are those of the safetensors crate: wider dtypes first, then by name, the header
 * padded with spaces to a multiple of 8.
 */
export function writeSafetensors(
  tensors: readonly TensorData[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array[] {
  const sorted = tensors.toSorted(
    (a, b) => RANK.get(b.dtype)! - RANK.get(a.dtype)! || byCodePoint(a.name, b.name),
  );
  const entries: string[] = [];
  if (metadata) entries.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const names = new Set<string>();
  let end = 0;
  for (const { name, dtype, shape, data } of sorted) {
    const bits = shape.reduce((product, size) => product * size, DTYPE_BITS[dtype]);
    if (bits !== 8 * data.length)
      throw new RangeError(`${name}: ${data.length} bytes for ${dtype} [${shape}]`);
    if (names.has(name)) throw new RangeError(`${name} is given twice`);
    names.add(name);
    const begin = end;
    end += data.length;
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const json = encodeUtf8(`{${entries.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return [header, ...sorted.map((tensor) => tensor.data)];
}
