import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { comparisonCsv, type CsvVersion } from './csv.ts';
import { compareScores, type GroupChange, type Headline } from './headline.ts';
import { exactMatch } from './metrics.ts';
import type { Question } from './questions.ts';
import type { ReadResults } from './results.ts';
import { scoreIfAnswered, type Scores, summarize } from './scores.ts';
import { splitThoughts } from './thoughts.ts';

/** Totals of one model's answers. */
export interface Totals {
  modelPath: string;
  /** Tokens over all questions. */
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
  /** Per question. */
  averageInputTokens: number;
  averageOutputTokens: number;
  averageTotalTokens: number;
  /** Number of exact matches among the questions with an expected answer. */
  exactMatches: number;
  /** Means over the same questions, between 0 and 1; undefined if there are none. */
  tokenF1: number | undefined;
  rougeL: number | undefined;
}

/** A question that the two models answered differently. */
export interface ChangedAnswer {
  /** Number of the question, from 1. */
  number: number;
  question: string;
  expected: string;
  /** Without the thoughts before them. */
  answers: [v1: string, v2: string];
  thoughts: [v1: string | undefined, v2: string | undefined];
  /** Whether each is the expected answer. */
  exact: [v1: boolean, v2: boolean];
}

export interface Comparison {
  questions: number;
  /** Number of questions with an expected answer. */
  withExpected: number;
  v1: Totals;
  v2: Totals;
  /** Whether V2 improved; undefined if no question has an expected answer. */
  headline: Headline | undefined;
  /** The one that fell most comes first. */
  topics: GroupChange[];
  difficulties: GroupChange[];
  /** Numbers of the questions that V2 answers worse than V1, and better. */
  worse: number[];
  better: number[];
  changed: ChangedAnswer[];
}

/** Compares two batch tests. Throws UserError if they are not about the same questions. */
export function compareResults(v1: ReadResults, v2: ReadResults): Comparison {
  checkSameQuestions(v1, v2);
  const scores = (read: ReadResults) => read.results.map(scoreResult);
  const { headline, changes, topics, difficulties } = compareScores(v1.results, scores(v1), scores(v2));
  const numbers = (wanted: string) => changes.flatMap((change, i) => (change === wanted ? [i + 1] : []));
  const changed: ChangedAnswer[] = [];
  v1.results.forEach(({ question, expected_answer: expected, model_answer: text }, i) => {
    const [first, second] = [splitThoughts(text), splitThoughts(v2.results[i]!.model_answer)];
    if (exactMatch(first.answer, second.answer)) {
      return;
    }
    const { answer: right } = splitThoughts(expected);
    changed.push({
      number: i + 1,
      question,
      expected,
      answers: [first.answer, second.answer],
      thoughts: [first.thoughts, second.thoughts],
      exact: [exactMatch(first.answer, right), exactMatch(second.answer, right)],
    });
  });
  return {
    questions: v1.results.length,
    withExpected: changes.filter((change) => change !== undefined).length,
    v1: totals(v1),
    v2: totals(v2),
    headline,
    topics,
    difficulties,
    worse: numbers('worse'),
    better: numbers('better'),
    changed,
  };
}

/** The same as CSV. Throws UserError if they are not about the same questions. */
export function resultsCsv(v1: ReadResults, v2: ReadResults): string {
  checkSameQuestions(v1, v2);
  const questions = v1.results.map(({ question, expected_answer: answer, topic, difficulty }): Question => ({
    question,
    answer,
    topic,
    difficulty,
  }));
  const version = (name: string, { results }: ReadResults): CsvVersion => ({
    name,
    answers: results.map(({ model_answer: text, token_usage: usage, stop_reason: stopped }) => ({
      text,
      inputTokens: usage.input_tokens,
      outputTokens: usage.output_tokens,
      ...(stopped && { stopped }),
    })),
  });
  return comparisonCsv(questions, [version('V1', v1), version('V2', v2)]);
}

function scoreResult({
  model_answer: text,
  expected_answer: expected,
  stop_reason: stopped,
}: ReadResults['results'][number]): Scores | undefined {
  return scoreIfAnswered({ text, ...(stopped && { stopped }) }, expected);
}

function checkSameQuestions(v1: ReadResults, v2: ReadResults): void {
  if (v1.results.length !== v2.results.length) {
    throw new UserError(
      `${v2.file}: it has ${v2.results.length} results, expected the ${v1.results.length} of ${v1.file}; run both tests on the same questions.`,
    );
  }
  v1.results.forEach(({ question }, i) => {
    const { question: other } = v2.results[i]!;
    if (other !== question) {
      throw new UserError(
        `${v2.file}: question ${i + 1} is ${quote(other)}, expected ${quote(question)} as in ${v1.file}; run both tests on the same questions.`,
      );
    }
  });
}

function totals({ results, modelPath }: ReadResults): Totals {
  const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
  const inputTokens = sum(results.map((r) => r.token_usage.input_tokens));
  const outputTokens = sum(results.map((r) => r.token_usage.output_tokens));
  const totalTokens = sum(results.map((r) => r.token_usage.total_tokens));
  const { exactMatches, tokenF1, rougeL } = summarize(
    results.map((r) => ({
      outputTokens: r.token_usage.output_tokens,
      cut: r.stop_reason === 'length',
      scores: scoreResult(r),
    })),
  );
  return {
    modelPath,
    inputTokens,
    outputTokens,
    totalTokens,
    averageInputTokens: inputTokens / results.length,
    averageOutputTokens: outputTokens / results.length,
    averageTotalTokens: totalTokens / results.length,
    exactMatches,
    tokenF1,
    rougeL,
  };
}
