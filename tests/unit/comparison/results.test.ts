import { describe, expect, it } from 'vitest';
import { compareResults, resultsCsv } from '../../../src/comparison/compare-files.ts';
import { batchTestFile, generationSettings, readResults } from '../../../src/comparison/results.ts';
import { RECIPE_SAMPLING } from '../../../src/generate/sampling.ts';
import { source } from '../../support/memory-folder.ts';

const questions = [
  { question: 'Q1', answer: 'red fox', topic: 'animals', difficulty: 'easy' },
  { question: 'Q2', answer: '', topic: '', difficulty: '' },
  { question: 'Q3', answer: 'a blue car', topic: 'cars', difficulty: 'hard' },
];
const about = {
  testDate: '2025-01-02T03:04:05',
  modelPath: 'out/v2',
  generation: generationSettings('text', 512, RECIPE_SAMPLING, 42),
};
const answered = (texts: string[]) =>
  texts.map((text, i) => ({
    text,
    inputTokens: 10 + i,
    outputTokens: 2 * text.length,
    stopped: 'stop id' as const,
  }));
const file = (texts: string[], modelPath = 'out/v2') =>
  batchTestFile(questions, answered(texts), { ...about, modelPath });
const read = (name: string, content: unknown) => readResults(source(name, JSON.stringify(content)));

describe('batchTestFile', () => {
  it('has the keys of the recipe, and how the answers were generated', () => {
    const { summary, results } = file(['red fox', 'x', 'car']);
    expect(summary).toEqual({
      test_date: '2025-01-02T03:04:05',
      model_path: 'out/v2',
      total_questions: 3,
      total_input_tokens: 33,
      total_output_tokens: 22,
      total_tokens: 55,
      avg_input_tokens_per_question: 11,
      avg_output_tokens_per_question: 22 / 3,
      avg_total_tokens_per_question: 55 / 3,
      generation: {
        prompt_form: 'text',
        max_new_tokens: 512,
        temperature: 0.7,
        top_p: 0.9,
        top_k: 0,
        repetition_penalty: 1,
        seed: 42,
      },
    });
    expect(results[2]).toEqual({
      question_id: 3,
      question: 'Q3',
      expected_answer: 'a blue car',
      model_answer: 'car',
      topic: 'cars',
      difficulty: 'hard',
      token_usage: { input_tokens: 12, output_tokens: 6, total_tokens: 18 },
      stop_reason: 'stop id',
    });
  });
});

describe('compareResults', () => {
  it('sets totals and changed answers side by side', async () => {
    const v1 = await read('v1.json', file(['red', 'same', 'blue car'], 'v1'));
    const v2 = await read('v2.json', file(['red fox ', 'same', 'green train'], 'v2'));
    const found = compareResults(v1, v2);
    expect(found).toMatchObject({ questions: 3, withExpected: 2 });
    expect(found.v1).toEqual({
      modelPath: 'v1',
      inputTokens: 33,
      outputTokens: 30,
      totalTokens: 63,
      averageInputTokens: 11,
      averageOutputTokens: 10,
      averageTotalTokens: 21,
      exactMatches: 0,
      // "red" of "red fox", and all of "blue car" (SQuAD drops the article, ROUGE does not).
      tokenF1: (2 / 3 + 1) / 2,
      rougeL: (2 / 3 + 4 / 5) / 2,
    });
    expect(found.v2).toMatchObject({ exactMatches: 1, tokenF1: 0.5, rougeL: 0.5, outputTokens: 46 });
    expect(found).toMatchObject({ worse: [3], better: [1] });
    expect(found.headline).toMatchObject({ metric: 'exact match', means: [0, 0.5], questions: 2 });
    expect(found.topics).toEqual([
      { name: 'cars', questions: 1, means: [0, 0], difference: 0 },
      { name: 'animals', questions: 1, means: [0, 1], difference: 1 },
    ]);
    expect(found.changed).toEqual([
      {
        number: 1,
        question: 'Q1',
        expected: 'red fox',
        answers: ['red', 'red fox '],
        thoughts: [undefined, undefined],
        exact: [false, true],
      },
      {
        number: 3,
        question: 'Q3',
        expected: 'a blue car',
        answers: ['blue car', 'green train'],
        thoughts: [undefined, undefined],
        exact: [false, false],
      },
    ]);
  });

  it('writes both as a table', async () => {
    const v1 = await read('v1.json', file(['red', 'same', 'blue car'], 'v1'));
    const v2 = await read('v2.json', file(['red fox', '=1+1', 'x'], 'v2'));
    expect(resultsCsv(v1, v2).split('\r\n')[2]).toBe("2,,,Q2,,same,,,,11,8,stop id,'=1+1,,,,11,8,stop id,");
  });

  it('refuses tests of different questions', async () => {
    const v1 = await read('v1.json', file(['a', 'b', 'c']));
    const other = file(['a', 'b', 'c']);
    other.results[1]!.question = 'Q9';
    expect(() => compareResults(v1, { ...v1, file: 'v2.json', results: v1.results.slice(1) })).toThrow(
      'v2.json: it has 2 results, expected the 3 of v1.json; run both tests on the same questions.',
    );
    const v2 = await read('v2.json', other);
    expect(() => compareResults(v1, v2)).toThrow(
      'v2.json: question 2 is "Q9", expected "Q2" as in v1.json; run both tests on the same questions.',
    );
  });
});

describe('readResults', () => {
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };

  it('takes a file of the recipe, whose empty keys may be null', async () => {
    const entry = { question: 'a', expected_answer: null, model_answer: 'b', token_usage: usage };
    expect(await read('old.json', { results: [entry] })).toEqual({
      file: 'old.json',
      modelPath: '',
      results: [
        {
          question: 'a',
          expected_answer: '',
          model_answer: 'b',
          topic: '',
          difficulty: '',
          token_usage: usage,
        },
      ],
    });
  });

  it.each([
    [{ results: [] }, 'r.json: results is not a list of answers; name a file that batch-test has written.'],
    [[1], 'r.json: it holds [1], expected keys and values; name a file that batch-test has written.'],
    [
      { results: [{ question: 'a', token_usage: usage }] },
      'r.json: results[0].model_answer is missing, expected text; name a file that batch-test has written.',
    ],
    [
      { results: [{ question: 'a', model_answer: 'b', token_usage: { ...usage, total_tokens: 'x' } }] },
      'r.json: results[0].token_usage.total_tokens is "x", expected a whole number at least 0; name a file that batch-test has written.',
    ],
  ])('refuses %j', async (content, sentence) => {
    await expect(read('r.json', content)).rejects.toThrow(sentence);
  });

  it('refuses a text that is too long to be compared', async () => {
    const entry = { question: 'a', model_answer: 'b'.repeat(1_000_001), token_usage: usage };
    await expect(read('r.json', { results: [entry] })).rejects.toThrow(
      'r.json: results[0].model_answer has 1,000,001 characters, expected at most 1,000,000; name a file that batch-test has written.',
    );
  });
});
