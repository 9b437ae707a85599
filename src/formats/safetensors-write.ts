// Reference: safetensors, safetensors/src/tensor.rs.
import { type Dtype, DTYPE_BITS } from './safetensors.ts';
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
 * The bytes of a safetensors file as consecutive chunks: the header, then each tensor's data, uncopied. Order and
 * padding are those of the safetensors crate: wider dtypes first, then by name; the header is padded with spaces to
 * a multiple of 8.
 */
export function writeSafetensors(
  tensors: readonly TensorData[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array[] {
  const sorted = tensors.toSorted(
    (a, b) => RANK.get(b.dtype)! - RANK.get(a.dtype)! || byCodePoint(a.name, b.name),
  );
  for (const tensor of sorted) {
    if (sizeOf(tensor) !== tensor.data.length) {
      throw new RangeError(
        `${tensor.name}: ${tensor.data.length} bytes for ${tensor.dtype} [${tensor.shape}]`,
      );
    }
  }
  return [safetensorsHeader(sorted, metadata), ...sorted.map((tensor) => tensor.data)];
}

/** The header of a file whose tensors' data are stored in this order. */
export function safetensorsHeader(
  tensors: readonly Omit<TensorData, 'data'>[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const entries: string[] = [];
  if (metadata) {
    entries.push(`"__metadata__":${JSON.stringify(metadata)}`);
  }
  const names = new Set<string>();
  let end = 0;
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    if (names.has(name)) {
      throw new RangeError(`${name} is given twice`);
    }
    names.add(name);
    const begin = end;
    end += sizeOf(tensor);
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const json = encodeUtf8(`{${entries.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return header;
}

const sizeOf = ({ dtype, shape }: Pick<TensorData, 'dtype' | 'shape'>): number =>
  shape.reduce((product, size) => product * size, DTYPE_BITS[dtype]) / 8;
