import { expect, test } from 'vitest';
import { unpackFramedLz4, unpackLz4 } from '../../../src/formats/parquet/lz4.ts';
import { Malformed } from '../../../src/formats/parquet/thrift-bounds.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);
const chars = (text: string) => [...text].map((char) => char.charCodeAt(0));
const textOf = (page: Uint8Array) => new TextDecoder().decode(page);

/** "ab", then 12 bytes from two before, then "end". */
const BLOCK = bytes(0x28, ...chars('ab'), 2, 0, 0x30, ...chars('end'));
const TEXT = `${'ab'.repeat(7)}end`;
/** One of Hadoop's frames. */
const frame = (size: number, block: Uint8Array) => bytes(0, 0, 0, size, 0, 0, 0, block.length, ...block);

test('a block repeats what it has written, also into itself', () => {
  expect(textOf(unpackLz4(BLOCK, TEXT.length))).toBe(TEXT);
});

test('lengths of 15 and more go on in bytes', () => {
  const text = 'x'.repeat(15 + 255 + 7);
  expect(textOf(unpackLz4(bytes(0xf0, 255, 7, ...chars(text)), text.length))).toBe(text);
  const match = 4 + 15 + 255 + 255;
  expect(unpackLz4(bytes(0x1f, 65, 1, 0, 255, 255, 0, 0), match + 1)).toEqual(
    new Uint8Array(match + 1).fill(65),
  );
});

test('Hadoop’s frames are unpacked one by one, and a bare block is taken for what it is', () => {
  const frames = bytes(...frame(TEXT.length, BLOCK), ...frame(2, bytes(0x20, ...chars('yz'))));
  expect(textOf(unpackFramedLz4(frames, TEXT.length + 2))).toBe(`${TEXT}yz`);
  expect(textOf(unpackFramedLz4(BLOCK, TEXT.length))).toBe(TEXT);
});

test.each<[string, Uint8Array]>([
  ['more than the page holds', bytes(0xf0, 255, 255, 0)],
  ['a match longer than the page', bytes(0x1f, 65, 1, 0, 255, 255, 255, 0)],
  ['a match before the beginning', bytes(0x28, ...chars('ab'), 3, 0, 0x30, ...chars('end'))],
  ['a match at no distance', bytes(0x28, ...chars('ab'), 0, 0, 0x30, ...chars('end'))],
  ['half an offset', bytes(0x28, ...chars('ab'), 2)],
  ['a length without end', new Uint8Array(1000).fill(255)],
  ['less than the page holds', bytes(0x20, ...chars('ab'))],
  ['nothing', bytes()],
])('%s is malformed', (_, block) => {
  expect(() => unpackLz4(block, TEXT.length)).toThrow(Malformed);
  expect(() => unpackFramedLz4(frame(TEXT.length, block), TEXT.length)).toThrow(Malformed);
});
