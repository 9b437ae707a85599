import { describe, expect, it } from 'vitest';
import { votesSentence } from '../../../src/app/shared/vote-words.ts';
import { shuffled, voteResult, wilsonInterval } from '../../../src/app/shared/votes.ts';

describe('wilsonInterval', () => {
  // scipy.stats.binomtest(k, n).proportion_ci(method='wilson'), SciPy 1.17.1.
  it.each([
    [0, 1, 0.0, 0.7934506856227626],
    [1, 1, 0.20654931437723745, 1.0],
    [5, 10, 0.236593090512564, 0.7634069094874361],
    [7, 9, 0.4525889691069889, 0.9367748928821533],
    [0, 12, 0.0, 0.24249400665524085],
    [30, 32, 0.7985287685584542, 0.982689432968359],
    [499, 1000, 0.468073488750724, 0.529934164766247],
  ] as const)('is that of SciPy for %i of %i', (k, n, low, high) => {
    const found = wilsonInterval(k, n);
    expect(found[0]).toBeCloseTo(low, 12);
    expect(found[1]).toBeCloseTo(high, 12);
  });
});

describe('voteResult', () => {
  it('is decided once the interval leaves one half', () => {
    expect(voteResult({ a: 1, b: 4, same: 9 })?.verdict).toBe('open');
    expect(voteResult({ a: 1, b: 8, same: 0 })?.verdict).toBe('b');
    expect(voteResult({ a: 8, b: 1, same: 0 })?.verdict).toBe('a');
    expect(voteResult({ a: 0, b: 0, same: 3 })).toBeUndefined();
  });

  it('is said in words', () => {
    expect(votesSentence(['V1', 'V2'], { a: 2, b: 7, same: 1 })).toBe(
      'V2 won 7 of 9 votes against V1 (1 more: equally good): 78%, 95% interval 45% to 94%. No clear preference yet.',
    );
    expect(votesSentence(['V1', 'V2'], { a: 9, b: 0, same: 0 })).toMatch(
      / 0%, .* 0% to 30%\. You prefer V1\.$/,
    );
  });
});

describe('shuffled', () => {
  const three = ['a', 'b', 'c'];

  it('keeps the items, and repeats', () => {
    const order = shuffled(three, 7, 2);
    expect(order.toSorted()).toEqual(three);
    expect(shuffled(three, 7, 2)).toEqual(order);
  });

  it('puts each item first about as often, over turns and over seeds', () => {
    const firsts = (order: (i: number) => string[]) => {
      const counts = new Map<string, number>();
      for (let i = 0; i < 600; i++) {
        const [first] = order(i);
        counts.set(first!, (counts.get(first!) ?? 0) + 1);
      }
      return three.map((item) => counts.get(item) ?? 0);
    };
    const all = [
      ...firsts((turn) => shuffled(three, 5, turn)),
      ...firsts((seed) => shuffled(three, seed, 0)),
    ];
    // Six standard deviations of 200 expected.
    for (const count of all) {
      expect(Math.abs(count - 200)).toBeLessThan(70);
    }
  });
});
