import { expect, it } from 'vitest';
import { isTrainedRowsText, TrainedRows } from '../../../../src/run/checks/trained-rows.ts';
import { Random } from '../../../support/random.ts';

const hashes = (random: Random, count: number): number[] =>
  Array.from({ length: count }, () => random.integer(0, 2 ** 16 - 1) * 2 ** 32 + random.u32());
const rows = (contents: readonly number[]) => contents.map((content) => ({ hashes: { content } }));

it('keeps every row of a lineage, once and in one order, and reads itself back', () => {
  const random = new Random(1);
  const [first, second, others] = [hashes(random, 500), hashes(random, 300), hashes(random, 1000)];
  const v1 = TrainedRows.of(rows(first));
  const v2 = TrainedRows.of(rows([...second, ...second, ...first.slice(0, 50)]), TrainedRows.parse(v1.text));
  expect(v2.text).toBe(TrainedRows.of(rows([...first, ...second].toReversed())).text);
  expect(v2.text).toHaveLength(8 * 800);
  const read = TrainedRows.parse(v2.text)!;
  expect([...first, ...second].every((content) => read.has(content) === true)).toBe(true);
  expect(others.filter((content) => read.has(content) !== false)).toEqual([]);
  expect(TrainedRows.of([{}]).text).toBe('');
});

it('keeps a sample of more rows than it has room for, and says of the others that it does not know', () => {
  const random = new Random(2);
  const all = hashes(random, 50_000);
  const kept = TrainedRows.of(rows(all));
  expect(kept.text).toHaveLength(8 * 2 ** 15);
  // In two generations it is the same sample.
  const before = TrainedRows.parse(TrainedRows.of(rows(all.slice(0, 35_000))).text);
  expect(TrainedRows.of(rows(all.slice(35_000)), before).text).toBe(kept.text);
  const known = all.filter((content) => kept.has(content) === true);
  expect(known).toHaveLength(2 ** 15);
  expect(all.filter((content) => kept.has(content) === false)).toEqual([]);
  const strangers = hashes(random, 1000).map((content) => kept.has(content));
  expect(new Set(strangers)).toEqual(new Set([false, undefined]));
});

it('is written as the documentation says', () => {
  const text = TrainedRows.of(rows([2 ** 40 + 5, 258])).text;
  expect(Buffer.from(text, 'base64').toString('hex')).toBe('000000000102' + '010000000005');
});

it('refuses what is no such text', () => {
  for (const text of [undefined, 5, 'AAAA', 'AAAAAAA=', 'AAAAAA\u202e ', 'A'.repeat(8 * 2 ** 15 + 8)]) {
    expect(isTrainedRowsText(text)).toBe(false);
    expect(TrainedRows.parse(text)).toBeUndefined();
  }
});
