import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../src/formats/xoshiro128.ts';
import {
  checkSampling,
  GREEDY,
  penalize,
  RECIPE_SAMPLING,
  sampleToken,
  type Sampling,
  tokenCandidates,
} from '../../../src/generate/sampling.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';
import { Random } from '../../support/random.ts';

type Golden = Sampling & { logits: number[]; previous: number[]; left: Record<string, number> };
const golden = JSON.parse(new TextDecoder().decode(fixtureBytes('generate/sampling.json'))) as Golden[];

const probabilities = (logits: Float32Array, sampling: Sampling): Map<number, number> => {
  const { ids, weights } = tokenCandidates(logits, sampling);
  const total = weights.reduce((a, b) => a + b, 0);
  return new Map(Array.from(ids, (id, i) => [id, weights[i]! / total]));
};

describe('what may be sampled', () => {
  const named = golden.map(
    (g) =>
      [
        `${g.logits.length} tokens, temperature ${g.temperature}, top_p ${g.topP}, top_k ${g.topK}, penalty ${g.repetitionPenalty}`,
        g,
      ] as const,
  );

  it.each(named)('is what transformers leaves of %s', (_, { logits, previous, left, ...sampling }) => {
    const values = Float32Array.from(logits);
    penalize(values, sampling.repetitionPenalty, previous);
    const found = probabilities(values, sampling);
    expect([...found.keys()].sort((a, b) => a - b)).toEqual(Object.keys(left).map(Number));
    for (const [id, probability] of found) {
      expect(probability).toBeCloseTo(left[id]!, 6);
    }
  });

  it('is the same as sorting a whole vocabulary gives', () => {
    const random = new Random(4);
    const logits = random.normals(5003, 2);
    const sampling = { ...GREEDY, temperature: 0.8, topP: 0.7 };
    const weights = Array.from(logits, (x) => Math.exp(x / 0.8));
    const total = weights.reduce((a, b) => a + b);
    const sorted = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!);
    let mass = 0;
    const kept = sorted.filter((id) => {
      const before = mass;
      mass += weights[id]! / total;
      return before < 0.7;
    });
    expect(Array.from(tokenCandidates(logits, sampling).ids)).toEqual(kept);
  });
});

describe('sampleToken', () => {
  it('draws each token as often as its probability says', () => {
    const logits = Float32Array.from([0, 1, -1, 2, 0.5, -3]);
    const sampling = { temperature: 0.9, topP: 0.95, topK: 5, repetitionPenalty: 1.2 };
    const previous = [3, 2];
    const expected = Float32Array.from(logits);
    penalize(expected, 1.2, previous);
    const random = Xoshiro128.seeded(9);
    const draws = 20_000;
    const counts = new Map<number, number>();
    for (let i = 0; i < draws; i++) {
      const id = sampleToken(Float32Array.from(logits), sampling, previous, random);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    const wanted = probabilities(expected, sampling);
    expect([...counts.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [id, p] of wanted) {
      const deviation = Math.sqrt((p * (1 - p)) / draws);
      expect(Math.abs(counts.get(id)! / draws - p)).toBeLessThan(4 * deviation);
    }
  });

  it('is greedy at temperature 0, the lowest index first, without a random number', () => {
    const random = {
      uniform: () => {
        throw new Error('asked');
      },
    };
    expect(sampleToken(Float32Array.from([1, 4, 2, 4]), GREEDY, [], random)).toBe(1);
  });

  it('takes the repetition penalty before the largest', () => {
    const penalty = { ...GREEDY, repetitionPenalty: 2 };
    expect(sampleToken(Float32Array.from([3, 4, -1]), penalty, [1, 1], new Random(1))).toBe(0);
    expect(sampleToken(Float32Array.from([-3, -2]), penalty, [1], new Random(1))).toBe(0);
  });

  it('never takes a token of weight 0, whatever the random number', () => {
    const logits = [-Infinity, 0, -Infinity, 0, -Infinity];
    for (const u of [0, 0.4999, 0.5, 1 - 2 ** -24]) {
      const id = sampleToken(Float32Array.from(logits), { ...GREEDY, temperature: 1 }, [], {
        uniform: () => u,
      });
      expect(id).toBe(u < 0.5 ? 1 : 3);
    }
  });
});

describe('checkSampling', () => {
  it('accepts the recipe', () => {
    expect(() => checkSampling(RECIPE_SAMPLING)).not.toThrow();
  });

  it.each([
    [{ temperature: -1 }, 'temperature is -1, expected a number of at least 0; correct it.'],
    [{ topP: 0 }, 'top_p is 0, expected a number above 0 and at most 1; correct it.'],
    [{ topP: 1.5 }, 'top_p is 1.5, expected a number above 0 and at most 1; correct it.'],
    [{ topK: 2.5 }, 'top_k is 2.5, expected a whole number of at least 0; correct it.'],
    [{ repetitionPenalty: 0 }, 'repetition_penalty is 0, expected a number above 0; correct it.'],
  ])('refuses %o', (wrong, sentence) => {
    expect(() => checkSampling({ ...RECIPE_SAMPLING, ...wrong })).toThrow(sentence);
  });
});
