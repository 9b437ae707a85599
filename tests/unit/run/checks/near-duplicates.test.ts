import { expect, it } from 'vitest';
import { nearDuplicates } from '../../../../src/run/checks/near-duplicates.ts';
import { Random } from '../../../support/random.ts';

const VOCABULARY = 5000;
const tokens = (random: Random, length: number): number[] =>
  Array.from({ length }, () => random.integer(0, VOCABULARY));
const rowsOf = (random: Random, count: number, low: number, high: number): number[][] =>
  Array.from({ length: count }, () => tokens(random, random.integer(low, high)));

/** Jaccard of the sets of five tokens, with nothing left out. */
function jaccard(a: readonly number[], b: readonly number[]): number {
  const shingles = (ids: readonly number[]) =>
    new Set(ids.slice(4).map((_, i) => ids.slice(i, i + 5).join(' ')));
  const [ofA, ofB] = [shingles(a), shingles(b)];
  const common = [...ofA].filter((shingle) => ofB.has(shingle)).length;
  return common / (ofA.size + ofB.size - common);
}

it('finds rows with a few tokens changed, and only such', () => {
  const random = new Random(17);
  const rows = rowsOf(random, 200, 30, 200);
  const planted = new Map<number, number>();
  for (let i = 0; i < 80; i++) {
    const like = random.integer(0, 199);
    const changed = [...rows[like]!];
    for (let n = random.integer(0, 2); n >= 0; n--) {
      changed[random.integer(0, changed.length - 1)] = random.integer(0, VOCABULARY);
    }
    if (random.uniform() < 0.5) {
      changed.splice(random.integer(0, changed.length - 1), 1);
    }
    planted.set(rows.push(changed) - 1, like);
  }
  const found = nearDuplicates(rows);
  for (const { row, like } of found) {
    expect(like).toBeLessThan(row);
    expect(jaccard(rows[row]!, rows[like]!)).toBeGreaterThanOrEqual(0.8);
  }
  // Far above the threshold none is missed; at the threshold a few may be.
  const clear = [...planted].filter(([row, like]) => jaccard(rows[row]!, rows[like]!) >= 0.85);
  expect(clear.length).toBeGreaterThan(15);
  expect(found.map(({ row }) => row)).toEqual(expect.arrayContaining(clear.map(([row]) => row)));
  expect(nearDuplicates(rows)).toEqual(found);
});

it.each([2, 3, 4, 15, 120])('does not count what %d rows share, such as a long system prompt', (count) => {
  const random = new Random(count);
  const [prompt, frame] = [tokens(random, 400), tokens(random, 30)];
  const rows = rowsOf(random, count, 20, 40).map((own) => [...prompt, ...own, ...frame]);
  expect(nearDuplicates(rows)).toEqual([]);
});

it('says nothing of unrelated rows, of rows too short to tell, and of few', () => {
  const random = new Random(5);
  expect(nearDuplicates(rowsOf(random, 1000, 10, 80))).toEqual([]);
  expect(nearDuplicates([[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 8], [], [1]])).toEqual([]);
  expect(nearDuplicates([])).toEqual([]);
  expect(nearDuplicates([tokens(random, 50)])).toEqual([]);
});

it('finds the one pair of four rows, and cannot tell of fewer what they share', () => {
  const random = new Random(3);
  const row = tokens(random, 200);
  const [pair, others] = [[row, [...row.slice(0, 199), 1]], rowsOf(random, 2, 100, 200)];
  expect(nearDuplicates([...pair, ...others])).toEqual([{ row: 1, like: 0 }]);
  expect(nearDuplicates(pair)).toEqual([]);
});
