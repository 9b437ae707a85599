import { expect, it } from 'vitest';
import { counted, showBytes, showSeconds, showSpeed, table } from '../../../src/cli/words.ts';

it.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1024, '1.0 KiB'],
  [150 * 2 ** 20, '150 MiB'],
  [1.75 * 2 ** 30, '1.8 GiB'],
  [2 ** 45, '32.0 TiB'],
])('shows %d bytes as %s', (bytes, text) => expect(showBytes(bytes)).toBe(text));

it.each([
  [0.4, '0 s'],
  [59.6, '1 min 00 s'],
  [185, '3 min 05 s'],
  [7620, '2 h 07 min'],
  [Infinity, '–'],
])('shows %d seconds as %s', (seconds, text) => expect(showSeconds(seconds)).toBe(text));

it('counts in the singular and in the plural, and rounds fast speeds', () => {
  expect([1, 0, 1200].map((n) => counted(n, 'row'))).toEqual(['1 row', '0 rows', '1,200 rows']);
  expect([7.46, 1234.5].map(showSpeed)).toEqual(['7.5 tokens/s', '1,235 tokens/s']);
});

it('lays cells out in columns', () => {
  expect(
    table([
      ['', 'V1'],
      ['questions', '4'],
      ['a', '1,000'],
    ]),
  ).toEqual(['              V1', 'questions      4', 'a          1,000']);
});
