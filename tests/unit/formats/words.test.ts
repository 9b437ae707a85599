import { expect, it } from 'vitest';
import {
  counted,
  showBytes,
  showLarge,
  showNumber,
  showRate,
  showSeconds,
  showShare,
  showSpeed,
} from '../../../src/formats/words.ts';

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

it.each([
  [1_543_714_304, '1.54 billion'],
  [494_032_768, '494 million'],
  [9_232_384, '9.2 million'],
  [12_345, '12,345'],
])('shows %d in one word as %s', (count, text) => expect(showLarge(count)).toBe(text));

it('shows a share as whole only once it is', () => {
  expect([showShare(199, 200), showShare(200, 200), showShare(0, 0)]).toEqual(['99%', '100%', '0%']);
});

it('shows numbers with the digits that matter', () => {
  expect([0, 1.23456, 0.000123].map(showNumber)).toEqual(['0.0000', '1.2346', '1.23e-4']);
  expect(showRate(5e-5)).toBe('5.00e-5');
});
