import { UserError } from '../formats/user-error.ts';
import { exactMatch, rougeL, tokenF1 } from './metrics.ts';
import type { ReadResults } from './results.ts';

/** What one model's answers come to. */
export interface Totals {
  modelPath: string;
  /** Tokens of all questions together. */
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
  /** Per question. */
  averageInputTokens: number;
  averageOutputTokens: number;
  averageTotalTokens: number;
  /** Of the questions that have an expected answer. */
  exactMatches: number;
  /** Means over the same, between 0 and 1; NaN where there are none. */
  tokenF1: number;
  rougeL: number;
}

/** A question that the two models answered differently. */
export interface ChangedAnswer {
  /** Number of the question, from 1. */
  number: number;
  question: string;
  expected: string;
  answers: [v1: string, v2: string];
  /** Whether each is the expected answer. */
  exact: [v1: boolean, v2: boolean];
}

export interface Comparison {
  questions: number;
  /** Questions that have an expected answer. */
  withExpected: number;
  v1: Totals;
  v2: Totals;
  changed: ChangedAnswer[];
}

/** Sets two batch tests side by side. Throws UserError where they are not about the same questions. */
export function compareResults(v1: ReadResults, v2: ReadResults): Comparison {
  if (v1.results.length !== v2.results.length)
    throw new UserError(
      `${v2.file}: it has ${v2.results.length} results, expected the ${v1.results.length} of ${v1.file}; run both tests on the same questions.`,
    );
  const changed: ChangedAnswer[] = [];
  v1.results.forEach(({ question, expected_answer: expected, model_answer: first }, i) => {
    const { question: other, model_answer: second } = v2.results[i]!;
    if (other !== question)
      throw new UserError(
        `${v2.file}: question ${i + 1} is ${JSON.stringify(other)}, expected ${JSON.stringify(question)} as in ${v1.file}; run both tests on the same questions.`,
      );
    if (exactMatch(first, second)) return;
    const exact: [boolean, boolean] = [exactMatch(first, expected), exactMatch(second, expected)];
    changed.push({ number: i + 1, question, expected, answers: [first, second], exact });
  });
  return {
    questions: v1.results.length,
    withExpected: expectedOnly(v1).length,
    v1: totals(v1),
    v2: totals(v2),
    changed,
  };
}

function expectedOnly({ results }: ReadResults): ReadResults['results'] {
  return results.filter(({ expected_answer: expected }) => expected.trim() !== '');
}

function totals(read: ReadResults): Totals {
  const { results, modelPath } = read;
  const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
  const inputTokens = sum(results.map((r) => r.token_usage.input_tokens));
  const outputTokens = sum(results.map((r) => r.token_usage.output_tokens));
  const totalTokens = sum(results.map((r) => r.token_usage.total_tokens));
  const judged = expectedOnly(read);
  const scores = (metric: (answer: string, expected: string) => number | boolean): number[] =>
    judged.map((r) => Number(metric(r.model_answer, r.expected_answer)));
  return {
    modelPath,
    inputTokens,
    outputTokens,
    totalTokens,
    averageInputTokens: inputTokens / results.length,
    averageOutputTokens: outputTokens / results.length,
    averageTotalTokens: totalTokens / results.length,
    exactMatches: sum(scores(exactMatch)),
    tokenF1: sum(scores(tokenF1)) / judged.length,
    rougeL: sum(scores(rougeL)) / judged.length,
  };
}
