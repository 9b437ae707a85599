import { describe, expect, it } from 'vitest';
import { commonSubsequence } from '../../../src/comparison/common-subsequence.ts';
import { rougeL } from '../../../src/comparison/metrics.ts';
import { Random } from '../../support/random.ts';

/** The definition, a cell at a time. */
function plain(a: readonly string[], b: readonly string[]): number {
  let above = new Array<number>(b.length + 1).fill(0);
  for (const item of a) {
    const row = [0];
    for (const [j, other] of b.entries()) {
      row.push(item === other ? above[j]! + 1 : Math.max(row[j]!, above[j + 1]!));
    }
    above = row;
  }
  return above.at(-1)!;
}

const words = (random: Random, most: number, kinds: number): string[] =>
  Array.from({ length: random.integer(0, most) }, () => String(random.integer(1, kinds)));

describe('commonSubsequence', () => {
  it('is as long as by the definition, whatever the lists', () => {
    const random = new Random(11);
    for (let n = 0; n < 2000; n++) {
      const kinds = random.pick([1, 2, 3, 8, 40, 1000]);
      const [a, b] = [words(random, 140, kinds), words(random, 140, kinds)];
      expect(commonSubsequence(a, b), JSON.stringify([a, b])).toBe(plain(a, b));
    }
  });

  it('carries through words that hold nothing of an item', () => {
    const a = ['x', ...Array<string>(200).fill('-'), 'y', ...Array<string>(31).fill('-'), 'x'];
    const b = ['y', 'x', 'x', 'y', 'x', 'x'];
    expect(commonSubsequence(a, b)).toBe(plain(a, b));
  });

  it(
    'takes answers of 16,000 words, and of 50,000 that agree in every second one',
    { timeout: 20_000 },
    () => {
      const random = new Random(3);
      const text = (n: number): string =>
        Array.from({ length: n }, () => `w${random.integer(1, 300)}`).join(' ');
      expect(rougeL(text(16_000), text(16_000))).toBeGreaterThan(0.05);
      expect(rougeL('a b '.repeat(25_000), 'b c '.repeat(25_000))).toBe(0.5);
    },
  );
});
