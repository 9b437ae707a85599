import type { TestAnswer } from './batch-test.ts';
import { exactMatch, rougeL, tokenF1 } from './metrics.ts';
import { splitThoughts } from './thoughts.ts';

/** Scores of one answer against the expected one. */
export interface Scores {
  exact: boolean;
  /** Between 0 and 1. */
  tokenF1: number;
  rougeL: number;
}

/** Summary of one version's answers, over all questions or over those of one topic or difficulty. */
export interface Summary {
  questions: number;
  /** Questions with an expected answer; only these are scored. */
  scored: number;
  exactMatches: number;
  /** Means over the scored questions, between 0 and 1; undefined if there are none. */
  exactRate: number | undefined;
  tokenF1: number | undefined;
  rougeL: number | undefined;
  /** Mean tokens per answer, and the number of answers cut at the maximum length. */
  outputTokens: number;
  cut: number;
}

/** Summaries by topic (or difficulty); '' is for questions that name none. */
export interface Group {
  name: string;
  summary: Summary;
}

/** What a summary needs of one answer. */
interface ScoredAnswer {
  outputTokens: number;
  cut: boolean;
  scores: Scores | undefined;
}

/** Scores the part after a model's thoughts; undefined if no answer is expected. */
export function scoreAnswer(text: string, expectedText: string): Scores | undefined {
  if (expectedText.trim() === '') {
    return undefined;
  }
  const { answer } = splitThoughts(text);
  const { answer: expected } = splitThoughts(expectedText);
  return {
    exact: exactMatch(answer, expected),
    tokenF1: tokenF1(answer, expected),
    rougeL: rougeL(answer, expected),
  };
}

/** Also undefined if the model had no room to answer. */
export function scoreIfAnswered(
  { text, stopped }: Pick<TestAnswer, 'text'> & Partial<TestAnswer>,
  expected: string,
): Scores | undefined {
  return stopped === 'no room' ? undefined : scoreAnswer(text, expected);
}

export function summarize(answers: readonly ScoredAnswer[]): Summary {
  const scores = answers.map((answer) => answer.scores).filter((s) => s !== undefined);
  const mean = (values: readonly number[]) => (values.length > 0 ? sum(values) / values.length : undefined);
  const exact = scores.map((s) => Number(s.exact));
  return {
    questions: answers.length,
    scored: scores.length,
    exactMatches: sum(exact),
    exactRate: mean(exact),
    tokenF1: mean(scores.map((s) => s.tokenF1)),
    rougeL: mean(scores.map((s) => s.rougeL)),
    outputTokens: mean(answers.map((answer) => answer.outputTokens)) ?? 0,
    cut: answers.filter(({ cut }) => cut).length,
  };
}

/** Summaries of the answers that share a name, in order of first appearance. */
export function summarizeBy(
  names: readonly string[],
  answers: readonly (ScoredAnswer | undefined)[],
): Group[] {
  return [...indicesBy(names)]
    .map(([name, indices]) => ({ name, answers: indices.flatMap((i) => answers[i] ?? []) }))
    .map(({ name, answers }) => ({ name, summary: summarize(answers) }));
}

/** Indices of each name, in order of first appearance. */
export function indicesBy(names: readonly string[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  names.forEach((name, i) => {
    const indices = found.get(name);
    if (indices) {
      indices.push(i);
    } else {
      found.set(name, [i]);
    }
  });
  return found;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
