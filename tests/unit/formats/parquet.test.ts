import { expect, test } from 'vitest';
import { checkRuns, endOfDeltas } from '../../../src/formats/parquet/encoding-bounds.ts';
import { endOfStruct, Malformed, varint } from '../../../src/formats/parquet/thrift-bounds.ts';

// What hyparquet would take at its word is refused before it sees it.

const bytes = (...values: number[]) => Uint8Array.from(values);
const long = (byte: number, count: number) => new Uint8Array(count).fill(byte);

test('a struct is walked to its end', () => {
  // Field 1: i32 3; field 2: "ab"; field 3: list of two bytes; field 4: a struct with nothing in it.
  expect(endOfStruct(bytes(0x15, 6, 0x18, 2, 97, 98, 0x19, 0x23, 1, 2, 0x1c, 0, 0, 99), 0)).toBe(13);
});

test.each([
  ['a number without end', Uint8Array.of(0x16, ...long(0xff, 50_000))],
  ['structs within structs', long(0x1c, 50_000)],
  ['a list of more items than bytes', bytes(0x19, 0xf3, 0xff, 0xff, 0xff, 0xff, 0x07, 1)],
  ['a text longer than the file', bytes(0x18, 0xff, 0xff, 0xff, 0x7f, 97)],
  ['a type that Parquet has no use for', bytes(0x1b, 1, 0)],
  ['no end', bytes(0x15, 6)],
])('%s is malformed', (_, struct) => {
  expect(() => endOfStruct(struct, 0)).toThrow(Malformed);
});

test('runs: repeated values and packed ones', () => {
  const runs = bytes(2 * 5, 1, 2 * 1 + 1, 0b1010, 99);
  expect(() => checkRuns(runs, 0, 4, 1, 13)).not.toThrow();
  expect(() => checkRuns(runs, 0, 4, 1, 14)).toThrow(Malformed);
});

test.each([
  ['a run of a billion', bytes(0x80, 0x94, 0xeb, 0xdc, 0x07, 1), 1],
  ['runs of nothing', long(0, 100), 1],
  ['wider values than there are', bytes(2 * 5, 1, 1, 1, 1, 1), 32],
])('%s is malformed', (_, runs, width) => {
  expect(() => checkRuns(runs, 0, runs.length, width, 5)).toThrow(Malformed);
});

test('differences: a block of four times 32 values', () => {
  // 128 values a block, 4 miniblocks, 3 values, the first 7; then the least difference, four widths, 4 bytes of the first.
  const block = bytes(0x80, 1, 4, 3, 14, 2, 1, 0, 0, 0, 0, 0, 0, 0, 99);
  expect(endOfDeltas(block, 0, 3)).toBe(14);
});

test.each([
  ['no miniblocks', bytes(0x80, 1, 0, 3, 14, 2)],
  ['blocks of nothing', bytes(0, 4, 3, 14, 2, 0, 0, 0, 0)],
  ['another count', bytes(0x80, 1, 4, 4, 14, 2, 0, 0, 0, 0)],
  ['a number without end', Uint8Array.of(0x80, 1, 4, 3, 14, ...long(0xff, 50_000))],
  ['a block beyond the end', bytes(0x80, 1, 4, 3, 14, 2, 31, 0, 0, 0)],
])('%s is malformed', (_, block) => {
  expect(() => endOfDeltas(block, 0, 3)).toThrow(Malformed);
});

test('numbers of up to ten bytes', () => {
  expect(varint(bytes(0xac, 2), 0)).toEqual({ value: 300, end: 2 });
});
