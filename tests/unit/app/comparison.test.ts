import { expect, it } from 'vitest';
import {
  type AnswerFilter,
  everything,
  headlineWords,
  mendedIn,
  points,
  shownQuestions,
} from '../../../src/app/comparison/comparison.ts';
import type { Headline } from '../../../src/comparison/headline.ts';
import { compareScores } from '../../../src/comparison/headline.ts';
import { scoreAnswer } from '../../../src/comparison/scores.ts';
import type { TestComparison, TestDetail } from '../../../src/engine/protocol/comparison.ts';

/** Three questions: V2 gets better, worse, and says the same. */
const expected = ['It is red.', 'It is blue.', 'It is green.'];
const answers = [
  ['It is gray.', 'It is blue.', 'It is green.'],
  ['It is red.', 'It is a blue thing, I think.', 'It is green.'],
];
const questions = expected.map((answer, i) => ({
  question: `What color is thing ${i}?`,
  answer,
  topic: ['warm', 'cold', 'cold'][i]!,
  difficulty: '',
}));
const scores = answers.map((given) => given.map((text, i) => scoreAnswer(text, expected[i]!)));
const detail = {
  questions,
  votes: [undefined, 1, undefined],
  trained: [undefined, undefined, undefined],
  versions: answers.map((given, v) => ({
    answers: given.map((text) => ({ text, inputTokens: 5, outputTokens: text.length, stopped: 'stop id' })),
    scores: scores[v]!,
  })),
} as unknown as TestDetail;
const comparison: TestComparison = {
  versions: [0, 1],
  ...compareScores(questions, scores[0]!, scores[1]!),
  votes: { a: 0, b: 1, same: 0 },
};
const shown = (filter: Partial<AnswerFilter>, compared: TestComparison | undefined = comparison) =>
  shownQuestions(detail, compared, { ...everything, ...filter });

it.each<[Partial<AnswerFilter>, number[]]>([
  [{}, [0, 1, 2]],
  [{ show: 'better' }, [0]],
  [{ show: 'worse' }, [1]],
  [{ show: 'differ' }, [0, 1]],
  [{ show: 'unvoted' }, [0, 2]],
  [{ topic: 'cold' }, [1, 2]],
  [{ topic: 'cold', show: 'better' }, []],
  [{ difficulty: 'hard' }, []],
  [{ text: ' RED. ' }, [0]],
  [{ text: 'thing, i' }, [1]],
  [{ sort: 'fell' }, [1, 2, 0]],
  [{ sort: 'rose' }, [0, 2, 1]],
  [{ sort: 'longest' }, [1, 2, 0]],
])('leaves of the questions with %j %j', (filter, left) => {
  expect(shown(filter)).toEqual(left);
});

it('knows of nothing better or worse, and keeps the order, where no two versions are compared', () => {
  expect(shownQuestions(detail, undefined, { ...everything, show: 'worse' })).toEqual([]);
  expect(shownQuestions(detail, undefined, { ...everything, sort: 'fell' })).toEqual([0, 1, 2]);
});

it.each([
  [0.352, '+35.2'],
  [-0.1, '−10.0'],
  [0, '0.0'],
  [0.0001, '0.0'],
  [-0.0001, '0.0'],
])('%d of one is %s points', (share, text) => expect(points(share)).toBe(text));

it('puts the verdict into words, with how sure it is', () => {
  const headline = (patch: Partial<Headline>): Headline => ({
    metric: 'exact match',
    means: [0.4, 0.5],
    difference: 0.1,
    interval: [-0.02, 0.22],
    verdict: 'no clear difference',
    questions: 50,
    resamples: 10_000,
    ...patch,
  });
  const unclear = headlineWords(headline({}), ['V1', 'V2']);
  expect(unclear.title).toBe('No clear difference between V1 and V2');
  expect(unclear.lines.join(' ')).toContain('between −2.0 and +22.0 points. That includes zero');
  const worse = headlineWords(headline({ verdict: 'worse', metric: 'token F1', difference: -0.1 }), [
    'V1',
    'V2',
  ]);
  expect(worse.title).toBe('V2 is worse than V1');
  expect(worse.lines[0]).toBe(
    'Over 50 questions with an expected answer, V1 reaches a token F1 of 40.0%, V2 of 50.0%: −10.0 points.',
  );
  expect(headlineWords(headline({ verdict: 'improved' }), ['V1', 'V2']).lines[1]).toMatch(
    /gain is unlikely to be chance/,
  );
});

it('tells what the second version has mended, kept and lost of what it was trained on, and lost elsewhere', () => {
  expect(mendedIn(detail, comparison)).toBeUndefined();
  const trainedOn = (answer: string, versions: number[]) => ({ answer, approved: false, versions });
  const trained = [trainedOn('It is red.', [1]), undefined, trainedOn('It is green.', [1])];
  const corrected: TestDetail = { ...detail, trained };
  expect(mendedIn(corrected, comparison)).toEqual({ mended: [0], unmended: [], kept: [2], lost: [1] });
  const listed = (show: AnswerFilter['show']) =>
    shownQuestions(corrected, comparison, { ...everything, show });
  expect([listed('mended'), listed('lost'), listed('trained'), listed('untrained')]).toEqual([
    [0],
    [1],
    [0, 2],
    [1],
  ]);
  // Where both were trained on it, the second has nothing to mend.
  const both: TestDetail = { ...detail, trained: [trainedOn('It is red.', [0, 1]), undefined, undefined] };
  expect(mendedIn(both, comparison)).toBeUndefined();
});
