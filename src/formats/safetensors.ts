// Reference: safetensors, safetensors/src/tensor.rs.
import type { ByteSource } from './byte-source.ts';
import { bf16ToF32, bytesToF32, f16ToF32 } from './half.ts';
import { JsonError, NumberText, parseJson, PythonFloat } from './json.ts';
import { isLfsPointer, lfsError } from './lfs-pointer.ts';
import { isPickleMagic, isPickleName, pickleError } from './pickle.ts';
import { quote, shorten } from './quote.ts';
import { UserError } from './user-error.ts';
import { decodeUtf8 } from './utf8.ts';

/** Bits per element of every dtype that the safetensors crate (0.8) supports, in the crate's order. */
export const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type Dtype = keyof typeof DTYPE_BITS;

/** One tensor of a safetensors file; its bytes are [begin, end) of `source`, row-major, little-endian. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly source: ByteSource;
  readonly begin: number;
  readonly end: number;
}

export interface Safetensors {
  readonly source: ByteSource;
  /** In header order. */
  readonly tensors: Map<string, TensorInfo>;
  readonly metadata: Record<string, string>;
}

const MAX_HEADER_BYTES = 100_000_000;
/** Nesting depth that serde_json reads, the header included. */
const MAX_NESTING = 127;
/** Maximum dimensions of a shape shown in a message. */
const MAX_SHOWN = 16;
const AGAIN = 'download or export the file again';

/** Reads and checks the header, without tensor data. Throws UserError for anything that the format forbids. */
export async function openSafetensors(source: ByteSource): Promise<Safetensors> {
  const refuse = (problem: string): never => {
    throw new UserError(`${source.name}: ${problem}; ${AGAIN}.`);
  };
  if (isPickleName(source.name)) {
    throw pickleError(source.name);
  }
  const headerBytes = await readHeader(source, refuse);
  const text = decodeUtf8(headerBytes) ?? refuse('the safetensors header is not valid UTF-8');
  const header = parseHeader(text, refuse);
  checkValue(header, 1, refuse);
  const { __metadata__: given, ...entries } = header;
  const metadata = given ?? {};
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    refuse('__metadata__ of the safetensors header is not a map from string to string');
  }
  const dataStart = 8 + headerBytes.length;
  const tensors = new Map<string, TensorInfo>();
  for (const [name, entry] of Object.entries(entries)) {
    tensors.set(name, checkEntry(name, entry, source, dataStart, refuse));
  }
  checkLayout([...tensors.values()], dataStart, source.size, refuse);
  return { source, tensors, metadata: metadata as Record<string, string> };
}

/** All bytes of a small tensor. Read large ones in pieces of [begin, end). */
export async function readTensor(info: TensorInfo): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(info.end - info.begin);
  await info.source.read(info.begin, bytes);
  return bytes;
}

/** The values of an F32, F16 or BF16 tensor as f32 (exact). Throws UserError for another dtype. */
export async function readTensorF32(info: TensorInfo): Promise<Float32Array<ArrayBuffer>> {
  return decodeF32(info, await readTensor(info));
}

/** The f32 values of bytes of such a tensor. */
export function decodeF32(
  { dtype, name, source }: Pick<TensorInfo, 'dtype' | 'name' | 'source'>,
  bytes: Uint8Array,
): Float32Array<ArrayBuffer> {
  if (dtype === 'F32') {
    return bytesToF32(bytes);
  }
  if (dtype === 'F16') {
    return f16ToF32(bytes);
  }
  if (dtype === 'BF16') {
    return bf16ToF32(bytes);
  }
  throw new UserError(
    `${source.name}: ${name} is ${dtype}, expected F32, F16 or BF16; convert it to one of these.`,
  );
}

type Refuse = (problem: string) => never;

async function readHeader(source: ByteSource, refuse: Refuse): Promise<Uint8Array> {
  if (source.size < 8) {
    return refuse(`not a safetensors file: ${source.size} bytes cannot hold a header`);
  }
  const start = new Uint8Array(Math.min(source.size, 9));
  await source.read(0, start);
  if (isLfsPointer(start)) {
    throw lfsError(source.name);
  }
  const length = new DataView(start.buffer).getBigUint64(0, true);
  const tooLong = length > BigInt(MAX_HEADER_BYTES);
  const pastEnd = length > BigInt(source.size - 8);
  // A header of 640 bytes starts like a pickle, so the magic decides only if no header can start there.
  const startsWithBrace = length > 0n && start[8] === 0x7b;
  if ((tooLong || pastEnd || !startsWithBrace) && isPickleMagic(start)) {
    throw pickleError(source.name);
  }
  if (tooLong) {
    return refuse(
      `the safetensors header claims ${length} bytes, more than the ${MAX_HEADER_BYTES} that are allowed`,
    );
  }
  if (pastEnd) {
    return refuse(
      `the safetensors header claims ${length} bytes, but only ${source.size - 8} follow; the file is cut short or not safetensors`,
    );
  }
  if (!startsWithBrace) {
    return refuse('not a safetensors file: the header does not begin with "{"');
  }
  const bytes = new Uint8Array(Number(length));
  await source.read(8, bytes);
  return bytes;
}

function parseHeader(text: string, refuse: Refuse): Record<string, unknown> {
  try {
    return parseJson(text, { keepFloats: true }) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof JsonError)) {
      throw error;
    }
    return refuse(`the safetensors header is not valid JSON at byte ${8 + error.column}: ${error.message}`);
  }
}

/**
 * Refuses what JSON allows but the reference reader (serde_json) does not, anywhere: unpaired surrogates, one more
 * level of nesting.
 */
function checkValue(value: unknown, depth: number, refuse: Refuse): void {
  if (typeof value === 'string' && /\p{Surrogate}/u.test(value)) {
    refuse(`the text ${quote(value)} in the safetensors header holds half a surrogate pair`);
  }
  if (typeof value !== 'object' || value === null) {
    return;
  }
  if (value instanceof PythonFloat || value instanceof NumberText) {
    return;
  }
  if (depth > MAX_NESTING) {
    refuse(`the safetensors header is nested more than ${MAX_NESTING} levels deep`);
  }
  for (const [key, item] of Object.entries(value)) {
    checkValue(key, depth, refuse);
    checkValue(item, depth + 1, refuse);
  }
}

function checkEntry(
  name: string,
  entry: unknown,
  source: ByteSource,
  dataStart: number,
  refuse: Refuse,
): TensorInfo {
  if (!isRecord(entry)) {
    return refuse(`the header entry of ${shorten(name)} is not an object`);
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BITS, dtype)) {
    return refuse(`${shorten(name)} has the unknown dtype ${quote(dtype)}`);
  }
  if (!isSizes(shape)) {
    return refuse(`${shorten(name)} has the shape ${quote(shape)}, expected whole numbers`);
  }
  if (!isSizes(offsets) || offsets.length !== 2) {
    return refuse(`${shorten(name)} has the data_offsets ${quote(offsets)}, expected [begin, end]`);
  }
  // The reference reader takes it for a float.
  if ([...shape, ...offsets].some((size) => Object.is(size, -0))) {
    return refuse(`${shorten(name)} has -0 for a size or an offset, expected whole numbers`);
  }
  const [begin, end] = offsets as [number, number];
  if (end < begin) {
    return refuse(`${shorten(name)} ends at ${end}, before its begin at ${begin}`);
  }
  const size = [...shape, DTYPE_BITS[dtype as Dtype]].reduce((product, factor) => {
    const larger = product * BigInt(factor);
    return larger < 2n ** 64n
      ? larger
      : refuse(`the size of ${shorten(name)}, ${showShape(shape)}, overflows`);
  }, 1n);
  const bits = Number(size);
  if (bits !== 8 * (end - begin)) {
    return refuse(
      `${shorten(name)} holds ${end - begin} bytes, but ${dtype} ${showShape(shape)} takes ${bits / 8}`,
    );
  }
  return { name, dtype: dtype as Dtype, shape, source, begin: dataStart + begin, end: dataStart + end };
}

function checkLayout(tensors: TensorInfo[], dataStart: number, fileEnd: number, refuse: Refuse): void {
  let end = dataStart;
  for (const tensor of tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (tensor.begin > end) {
      refuse(`there is a gap of ${tensor.begin - end} bytes before the data of ${shorten(tensor.name)}`);
    }
    if (tensor.begin < end) {
      refuse(`the data of ${shorten(tensor.name)} overlaps the tensor before it`);
    }
    end = tensor.end;
  }
  if (end > fileEnd) {
    refuse(`the tensors end at byte ${end}, but the file at ${fileEnd}; the file is cut short`);
  }
  if (end < fileEnd) {
    refuse(`${fileEnd - end} bytes follow the last tensor`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
}

/** A shape as shown in messages: [128, 32]. */
export function showShape(shape: readonly number[]): string {
  const few = shape.slice(0, MAX_SHOWN);
  return `[${few.join(', ')}${shape.length > few.length ? ', …' : ''}]`;
}
