// Reference: ggml, docs/gguf.md (version 3).
import { encodeUtf8 } from '../../formats/utf8.ts';
import type { OutputFile } from '../output-file.ts';

/** How values are stored in a tensor: bytes for so many values, and ggml's number for it. */
export const GGML_TYPES = {
  F32: { id: 0, block: 1, bytes: 4 },
  F16: { id: 1, block: 1, bytes: 2 },
  Q5_0: { id: 6, block: 32, bytes: 22 },
  Q5_1: { id: 7, block: 32, bytes: 24 },
  Q8_0: { id: 8, block: 32, bytes: 34 },
  Q4_K: { id: 12, block: 256, bytes: 144 },
  Q5_K: { id: 13, block: 256, bytes: 176 },
  Q6_K: { id: 14, block: 256, bytes: 210 },
  BF16: { id: 30, block: 1, bytes: 2 },
} as const;
export type GgmlType = keyof typeof GGML_TYPES;

export interface GgufTensor {
  readonly name: string;
  /** Row-major, as in safetensors; GGUF has the dimensions in reverse. */
  readonly shape: readonly number[];
  readonly type: GgmlType;
  chunks(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** A value of the metadata, with its type. */
export type MetaValue =
  | { readonly kind: 'u32' | 'f32'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'i32s' | 'f32s'; readonly value: readonly number[] };
export type Metadata = ReadonlyMap<string, MetaValue>;

export const u32 = (value: number): MetaValue => ({ kind: 'u32', value });
export const f32 = (value: number): MetaValue => ({ kind: 'f32', value });
export const bool = (value: boolean): MetaValue => ({ kind: 'bool', value });
export const string = (value: string): MetaValue => ({ kind: 'string', value });

const ALIGNMENT = 32;
const padding = (size: number): number => (ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT;

/** Bytes of a tensor's data. */
function tensorBytes({ shape, type }: Pick<GgufTensor, 'shape' | 'type'>): number {
  const { block, bytes } = GGML_TYPES[type];
  return (shape.reduce((product, n) => product * n, 1) / block) * bytes;
}

/** A GGUF file. Its header needs only the sizes of the tensors, whose data follow as they are computed. */
export function ggufFile(path: string, metadata: Metadata, tensors: readonly GgufTensor[]): OutputFile {
  const header = headerOf(metadata, tensors);
  return {
    path,
    bytes: tensors.reduce((sum, tensor) => {
      const size = tensorBytes(tensor);
      return sum + size + padding(size);
    }, header.length),
    chunks: async function* () {
      yield header;
      for (const tensor of tensors) {
        yield* tensor.chunks();
        const pad = padding(tensorBytes(tensor));
        if (pad > 0) {
          yield new Uint8Array(pad);
        }
      }
    },
  };
}

function headerOf(metadata: Metadata, tensors: readonly GgufTensor[]): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.bytes(encodeUtf8('GGUF'));
  out.u32(3);
  out.u64(tensors.length);
  out.u64(metadata.size);
  for (const [key, value] of metadata) {
    out.string(key);
    writeValue(out, value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    out.string(tensor.name);
    out.u32(tensor.shape.length);
    for (const size of tensor.shape.toReversed()) {
      out.u64(size);
    }
    out.u32(GGML_TYPES[tensor.type].id);
    out.u64(offset);
    const size = tensorBytes(tensor);
    offset += size + padding(size);
  }
  out.bytes(new Uint8Array(padding(out.length)));
  return out.all();
}

/** GGUF's numbers for the types of values. */
const KINDS = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;

function writeValue(out: Writer, { kind, value }: MetaValue): void {
  const array = (element: 'string' | 'i32' | 'f32', count: number) => {
    out.u32(KINDS.array);
    out.u32(KINDS[element]);
    out.u64(count);
  };
  switch (kind) {
    case 'u32':
      out.u32(KINDS.u32);
      return out.u32(value);
    case 'f32':
      out.u32(KINDS.f32);
      return out.f32(value);
    case 'bool':
      out.u32(KINDS.bool);
      return out.bytes(Uint8Array.of(value ? 1 : 0));
    case 'string':
      out.u32(KINDS.string);
      return out.string(value);
    case 'strings':
      array('string', value.length);
      return value.forEach((text) => out.string(text));
    case 'i32s':
      array('i32', value.length);
      return out.bytes(new Uint8Array(Int32Array.from(value).buffer));
    case 'f32s':
      array('f32', value.length);
      return out.bytes(new Uint8Array(Float32Array.from(value).buffer));
  }
}

/** Appends little-endian values to a growing buffer. */
class Writer {
  #buffer = new Uint8Array(2 ** 16);
  length = 0;

  bytes(bytes: Uint8Array): void {
    const end = this.length + bytes.length;
    if (end > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#buffer.length));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.length);
    this.length = end;
  }

  u32(value: number): void {
    this.bytes(new Uint8Array(Uint32Array.of(value).buffer));
  }

  u64(value: number): void {
    this.bytes(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  }

  f32(value: number): void {
    this.bytes(new Uint8Array(Float32Array.of(value).buffer));
  }

  string(text: string): void {
    const bytes = encodeUtf8(text);
    this.u64(bytes.length);
    this.bytes(bytes);
  }

  all(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.length);
  }
}
