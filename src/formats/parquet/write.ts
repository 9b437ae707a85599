// References: Apache Parquet, parquet-format: README.md, Encodings.md, LogicalTypes.md (lists), parquet.thrift.
import { encodeUtf8 } from '../utf8.ts';
import { type ThriftStruct, type ThriftValue, unsignedVarint, writeStruct } from './thrift-write.ts';

/** A column of lists of whole numbers: one list per row, none of them empty. */
export interface IntLists {
  readonly name: string;
  readonly lists: readonly Int32Array[];
}

/** Values of a column in one row group, unless a single row has more: 1 MiB. */
const GROUP_VALUES = 2 ** 18;
const MAGIC = encodeUtf8('PAR1');

const INT32 = 1;
const [REQUIRED, REPEATED] = [0, 2];
const LIST = 3;
const [PLAIN, RLE, RLE_DICTIONARY] = [0, 3, 8];
const [DATA_PAGE, DICTIONARY_PAGE] = [0, 2];
const UNCOMPRESSED = 0;

const i32 = (n: number): ThriftValue => ({ i32: n });
const i64 = (n: number): ThriftValue => ({ i64: n });
const text = (value: string): ThriftValue => ({ text: value });
const list = (values: readonly ThriftStruct[]): ThriftValue => ({
  list: values.map((struct) => ({ struct })),
});

/**
 * The bytes of a Parquet file with these columns, as consecutive chunks: uncompressed, in row groups of about 2^18
 * values. A column of one repeated value takes almost no space. Throws RangeError for columns that do not fit together.
 */
export function writeIntLists(columns: readonly IntLists[], createdBy: string): Uint8Array<ArrayBuffer>[] {
  const rows = columns[0]?.lists.length ?? 0;
  for (const { name, lists } of columns) {
    if (lists.length !== rows || lists.some(({ length }) => length === 0)) {
      throw new RangeError(`${name}: ${lists.length} lists, expected ${rows}, none of them empty`);
    }
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [MAGIC];
  const groups: ThriftStruct[] = [];
  let offset = MAGIC.length;
  for (const [begin, end] of groupsOf(columns, rows)) {
    const parts = columns.map((column) => {
      const part = columnChunk(column.name, column.lists.slice(begin, end), offset);
      chunks.push(...part.chunks);
      offset += part.bytes;
      return part;
    });
    groups.push({
      1: list(parts.map(({ about }) => about)),
      2: i64(parts.reduce((sum, { bytes }) => sum + bytes, 0)),
      3: i64(end - begin),
    });
  }
  const footer = writeStruct({
    1: i32(1),
    2: list(schemaOf(columns)),
    3: i64(rows),
    4: list(groups),
    6: text(createdBy),
  });
  return [...chunks, Uint8Array.from([...footer, ...littleEndian(footer.length)]), MAGIC];
}

/** Ranges of rows that make a row group each. */
function* groupsOf(columns: readonly IntLists[], rows: number): Generator<[number, number]> {
  let begin = 0;
  let values = 0;
  for (let row = 0; row < rows; row++) {
    const length = columns.reduce((most, { lists }) => Math.max(most, lists[row]!.length), 0);
    if (row > begin && values + length > GROUP_VALUES) {
      yield [begin, row];
      [begin, values] = [row, 0];
    }
    values += length;
  }
  if (begin < rows) {
    yield [begin, rows];
  }
}

/** Each column a required list of required elements, under Arrow's names. */
function schemaOf(columns: readonly IntLists[]): ThriftStruct[] {
  return [
    { 4: text('schema'), 5: i32(columns.length) },
    ...columns.flatMap(({ name }): ThriftStruct[] => [
      {
        3: i32(REQUIRED),
        4: text(name),
        5: i32(1),
        6: i32(LIST),
        10: { struct: { 3: { struct: {} } } },
      },
      { 3: i32(REPEATED), 4: text('list'), 5: i32(1) },
      { 1: i32(INT32), 3: i32(REQUIRED), 4: text('element') },
    ]),
  ];
}

/** One column of a row group: its pages, and what the footer says of them. */
function columnChunk(name: string, lists: readonly Int32Array[], offset: number) {
  const count = lists.reduce((sum, { length }) => sum + length, 0);
  const first = lists[0]![0]!;
  const constant = lists.every((values) => values.every((value) => value === first));
  const encoding = constant ? RLE_DICTIONARY : PLAIN;
  const dictionary = constant
    ? page(Int32Array.of(first), { 1: i32(DICTIONARY_PAGE), 7: { struct: { 1: i32(1), 2: i32(PLAIN) } } })
    : [];
  // The index of the only entry, once for all values: bits of an index, length of the run, the index.
  const values = constant ? Uint8Array.from([1, ...run(count), 0]) : flat(lists, count);
  const data = page(
    values,
    { 1: i32(DATA_PAGE), 5: { struct: { 1: i32(count), 2: i32(encoding), 3: i32(RLE), 4: i32(RLE) } } },
    // Repetition levels: 0 begins a row, 1 goes on with it. Definition levels: nothing is missing.
    [
      ...levels(
        lists.flatMap(({ length }) => [...run(1), 0, ...(length > 1 ? [...run(length - 1), 1] : [])]),
      ),
      ...levels([...run(count), 1]),
    ],
  );
  const chunks = [...dictionary, ...data];
  const bytes = sizeOf(chunks);
  const about: ThriftStruct = {
    2: i64(offset),
    3: {
      struct: {
        1: i32(INT32),
        2: { list: [...new Set([PLAIN, RLE, encoding])].map(i32) },
        3: { list: [name, 'list', 'element'].map(text) },
        4: i32(UNCOMPRESSED),
        5: i64(count),
        6: i64(bytes),
        7: i64(bytes),
        9: i64(offset + sizeOf(dictionary)),
        11: constant ? i64(offset) : undefined,
      },
    },
  };
  return { chunks, bytes, about };
}

/** A page's header and content. */
function page(
  values: Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>,
  header: ThriftStruct,
  before: readonly number[] = [],
): Uint8Array<ArrayBuffer>[] {
  const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const size = before.length + content.length;
  return [
    Uint8Array.from(writeStruct({ ...header, 2: i32(size), 3: i32(size) })),
    Uint8Array.from(before),
    content,
  ];
}

function flat(lists: readonly Int32Array[], count: number): Int32Array<ArrayBuffer> {
  const all = new Int32Array(count);
  let at = 0;
  for (const values of lists) {
    all.set(values, at);
    at += values.length;
  }
  return all;
}

/** The head of a run of equal values. */
const run = (length: number): number[] => unsignedVarint(2 * length);

/** Levels in the hybrid encoding, after their length in bytes. */
const levels = (encoded: readonly number[]): number[] => [...littleEndian(encoded.length), ...encoded];

const littleEndian = (n: number): number[] => [0, 8, 16, 24].map((bits) => (n >>> bits) & 0xff);

const sizeOf = (chunks: readonly Uint8Array[]): number => chunks.reduce((sum, { length }) => sum + length, 0);
