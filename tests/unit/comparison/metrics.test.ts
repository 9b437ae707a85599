import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bootstrapInterval } from '../../../src/comparison/bootstrap.ts';
import { exactMatch, rougeL, tokenF1 } from '../../../src/comparison/metrics.ts';

describe('exactMatch', () => {
  it('looks past white space at the ends only', () => {
    expect(exactMatch(' 東京, shelf 4.\n', '東京, shelf 4.')).toBe(true);
    expect(exactMatch('shelf  4', 'shelf 4')).toBe(false);
    expect(exactMatch('Shelf 4', 'shelf 4')).toBe(false);
  });
});

describe('tokenF1', () => {
  // Values of compute_f1 in transformers.data.metrics.squad_metrics.
  it.each([
    ['The cat sat on the mat.', 'A cat sat on a mat', 1],
    ['It costs 35.5 €.', 'It costs 33.5 €.', 0.75],
    ['in Malmö, shelf 35', 'Shelf 35 in Kraków', 0.75],
    ['the', 'a', 1],
    ['yes', 'the', 0],
    ['go go go', 'go go stop', 2 / 3],
    ['anthem of a-the', 'anthem athe', 0.8],
    ['«a—the»  x', 'x «—»', 1 / 3],
  ])('of %j and %j is %d', (a, b, expected) => {
    expect(tokenF1(a, b)).toBeCloseTo(expected, 12);
    expect(tokenF1(b, a)).toBeCloseTo(expected, 12);
  });
});

describe('rougeL', () => {
  it.each([
    // The words in common, in order: the quick brown jumps the; 5 of 9 and of 8.
    ['The quick brown fox jumps over the lazy dog', 'The quick brown dog jumps on the log.', 10 / 17],
    // it costs 5: "€" is no word, "33.5" is two.
    ['It costs 35.5 €.', 'It costs 33.5 €.', 3 / 4],
    // Order counts: c, or a b.
    ['a b c', 'c a b', 2 / 3],
    ['Krak\u00f3w', 'krak w', 1],
    ['東京', '東京', 0],
    ['', 'x', 0],
  ])('of %j and %j is %d', (a, b, expected) => {
    expect(rougeL(a, b)).toBeCloseTo(expected, 12);
    expect(rougeL(b, a)).toBeCloseTo(expected, 12);
  });
});

describe('against Python', () => {
  interface Fixture {
    pairs: { answer: string; expected: string; exact: boolean; f1: number; rouge_l: number }[];
    bootstrap: { differences: number[]; interval: [number, number] }[];
  }
  const path = new URL('../../fixtures/generate/metrics.json', import.meta.url);
  const { pairs, bootstrap } = JSON.parse(readFileSync(path, 'utf8')) as Fixture;

  it('scores every pair as transformers and a plain ROUGE-L do', () => {
    expect(pairs).toHaveLength(60);
    for (const { answer, expected, exact, f1, rouge_l } of pairs) {
      const what = JSON.stringify([answer, expected]);
      expect(exactMatch(answer, expected), what).toBe(exact);
      expect(tokenF1(answer, expected), what).toBeCloseTo(f1, 12);
      expect(rougeL(answer, expected), what).toBeCloseTo(rouge_l, 12);
    }
  });

  it('has the intervals of numpy, but for the draws', () => {
    for (const { differences, interval } of bootstrap) {
      const width = interval[1] - interval[0];
      bootstrapInterval(differences, 3).forEach((end, i) =>
        expect(Math.abs(end - interval[i]!) / width).toBeLessThan(0.04),
      );
    }
  });
});
