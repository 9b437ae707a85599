import { describe, expect, it } from 'vitest';
import { bootstrapInterval } from '../../../src/comparison/bootstrap.ts';
import { compareScores } from '../../../src/comparison/headline.ts';
import { scoreAnswer, summarize, summarizeBy } from '../../../src/comparison/scores.ts';
import { Xoshiro128 } from '../../../src/formats/xoshiro128.ts';

describe('bootstrapInterval', () => {
  it('is the normal one where there are many questions', () => {
    const random = Xoshiro128.seeded(11);
    const n = 400;
    const differences = Array.from({ length: n }, () => random.uniform() + random.uniform() - 0.8);
    const mean = differences.reduce((a, b) => a + b, 0) / n;
    const deviation = Math.sqrt(differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / n);
    const half = (1.96 * deviation) / Math.sqrt(n);
    const [low, high] = bootstrapInterval(differences, 1);
    // The error of a quantile of 10,000 draws is about 1.3% of the half width at one sigma.
    expect(Math.abs(low - (mean - half)) / half).toBeLessThan(0.08);
    expect(Math.abs(high - (mean + half)) / half).toBeLessThan(0.08);
    expect(bootstrapInterval(differences, 1)).toEqual([low, high]);
    expect(bootstrapInterval(differences, 2)).not.toEqual([low, high]);
  });

  it('has the quantiles of the exact distribution where there are three questions', () => {
    // Of 27 equally likely draws of −1, 0, 1 one alone has the mean −1: 3.7% is more than 2.5%.
    expect(bootstrapInterval([-1, 0, 1], 3)).toEqual([-1, 1]);
    // A quarter of the draws of 0 and 1 are both the same.
    expect(bootstrapInterval([0, 1], 3)).toEqual([0, 1]);
    // Of 0 and nine ones: all ones 35%, no fewer than seven 98.7%, no fewer than eight 92.9%.
    expect(bootstrapInterval([0, ...new Array<number>(9).fill(1)], 3)).toEqual([0.7, 1]);
    expect(bootstrapInterval([0.25, 0.25], 3)).toEqual([0.25, 0.25]);
  });
});

const questions = (...topics: string[]) => topics.map((topic) => ({ topic, difficulty: 'easy' }));

describe('compareScores', () => {
  const scores = (answers: readonly string[], expected: readonly string[]) =>
    answers.map((answer, i) => scoreAnswer(answer, expected[i]!));

  it('goes by exact matches, and by token F1 where there are none', () => {
    const expected = ['x y', 'x y', 'x y', ''];
    const topics = questions('t', 't', 'u', 'u');
    const exact = compareScores(
      topics,
      scores(['x', 'no', 'x y', 'a'], expected),
      scores(['x y', 'x', 'x', 'b'], expected),
    );
    expect(exact.headline).toMatchObject({ metric: 'exact match', means: [1 / 3, 1 / 3], questions: 3 });
    expect(exact.headline).toMatchObject({
      difference: 0,
      verdict: 'no clear difference',
      resamples: 10_000,
    });
    expect(exact.changes).toEqual(['better', 'better', 'worse', undefined]);
    expect(exact.topics).toEqual([
      { name: 'u', questions: 1, means: [1, 0], difference: -1 },
      { name: 't', questions: 2, means: [0, 0.5], difference: 0.5 },
    ]);
    const f1 = compareScores(
      topics,
      scores(['no', 'no', 'no', ''], expected),
      scores(['x', 'x', 'x', ''], expected),
    );
    expect(f1.headline).toMatchObject({ metric: 'token F1', means: [0, 2 / 3], verdict: 'improved' });
    expect(f1.difficulties).toMatchObject([{ name: 'easy', questions: 3 }]);
  });

  it('says worse where the whole interval is below zero', () => {
    const expected = new Array<string>(8).fill('yes');
    const all = (answer: string) => scores(new Array<string>(8).fill(answer), expected);
    const { headline, changes } = compareScores(questions(...expected), all('yes'), all('no'));
    expect(headline).toMatchObject({ difference: -1, interval: [-1, -1], verdict: 'worse' });
    expect(changes).toEqual(new Array<string>(8).fill('worse'));
  });

  it('has no figure where nothing is expected or answered', () => {
    const none = compareScores(questions('t', 't'), [undefined, undefined], scores(['a', 'b'], ['a', 'b']));
    expect(none).toEqual({
      headline: undefined,
      changes: [undefined, undefined],
      topics: [],
      difficulties: [],
    });
  });
});

describe('summarize', () => {
  const answer = (text: string, expected: string, tokens = 4, cut = false) => ({
    outputTokens: tokens,
    cut,
    scores: scoreAnswer(text, expected),
  });

  it('counts only what is expected, by topic too', () => {
    const answers = [answer('a b', 'a b'), answer('a', 'a b', 6, true), answer('c', ''), undefined];
    expect(summarize(answers.filter((a) => a !== undefined))).toEqual({
      questions: 3,
      scored: 2,
      exactMatches: 1,
      exactRate: 0.5,
      // SQuAD drops "a": nothing against one word is 0, and "b" against "b" is 1.
      tokenF1: 0.5,
      rougeL: (1 + 2 / 3) / 2,
      outputTokens: 14 / 3,
      cut: 1,
    });
    const topics = summarizeBy(['t', '', 't', 'u'], answers);
    expect(topics.map(({ name, summary }) => [name, summary.questions, summary.scored])).toEqual([
      ['t', 2, 1],
      ['', 1, 1],
      ['u', 0, 0],
    ]);
    expect(topics[2]!.summary.exactRate).toBeUndefined();
  });
});
