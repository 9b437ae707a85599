// Reference: Apache Thrift, doc/specs/thrift-compact-protocol.md.

/** Deeper nesting is no Parquet file's. */
const MAX_DEPTH = 24;
/** Bytes of the longest number. */
const MAX_VARINT = 10;
const [STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12,
] as const;

/** What is read does not have the form that it should have. */
export class Malformed extends Error {}

/** The bytes end within what is read. */
export class Incomplete extends Malformed {}

/** Where a variable-length number ends, and its value up to 2^53. Throws Malformed. */
export function varint(bytes: Uint8Array, begin: number): { value: number; end: number } {
  let value = 0;
  for (let i = 0; i < MAX_VARINT; i++) {
    const byte = bytes[begin + i];
    if (byte === undefined) {
      throw new Incomplete('it ends too early');
    }
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      return { value, end: begin + i + 1 };
    }
  }
  throw new Malformed('a number is too long');
}

/**
 * Where the struct that begins there ends. hyparquet reads numbers of any length, lists of any size and any depth, in
 * more than linear time; this walks them in linear time first. Throws Malformed.
 */
export function endOfStruct(bytes: Uint8Array, begin: number, depth = 0): number {
  if (depth > MAX_DEPTH) {
    throw new Malformed('it is nested too deeply');
  }
  for (let at = begin; ;) {
    const byte = bytes[at++];
    if (byte === undefined) {
      throw new Incomplete('it ends too early');
    }
    const type = byte & 0x0f;
    if (type === STOP) {
      return at;
    }
    if (byte >> 4 === 0) {
      at = varint(bytes, at).end;
    }
    at = endOfValue(bytes, at, type, depth);
  }
}

function endOfValue(bytes: Uint8Array, at: number, type: number, depth: number): number {
  switch (type) {
    case TRUE:
    case FALSE:
      return at;
    case BYTE:
      return within(bytes, at + 1);
    case I16:
    case I32:
    case I64:
      return varint(bytes, at).end;
    case DOUBLE:
      return within(bytes, at + 8);
    case BINARY: {
      const { value, end } = varint(bytes, at);
      return within(bytes, end + value);
    }
    case LIST:
      return endOfList(bytes, at, depth);
    case STRUCT:
      return endOfStruct(bytes, at, depth + 1);
    default:
      throw new Malformed('it holds what Parquet has no use for');
  }
}

function endOfList(bytes: Uint8Array, begin: number, depth: number): number {
  const head = bytes[begin];
  if (head === undefined) {
    throw new Incomplete('it ends too early');
  }
  const type = head & 0x0f;
  let count = head >> 4;
  let at = begin + 1;
  if (count === 15) {
    ({ value: count, end: at } = varint(bytes, at));
  }
  // Every item takes a byte at least.
  within(bytes, at + count);
  for (let i = 0; i < count; i++) {
    at = endOfValue(bytes, at, type === TRUE || type === FALSE ? BYTE : type, depth);
  }
  return at;
}

function within(bytes: Uint8Array, end: number): number {
  if (end > bytes.length) {
    throw new Incomplete('it ends too early');
  }
  return end;
}
