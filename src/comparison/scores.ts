import type { Answer } from './batch-test.ts';
import { exactMatch, rougeL, tokenF1 } from './metrics.ts';
import { splitThoughts } from './thoughts.ts';

/** How one answer stands to the expected one. */
export interface Scores {
  exact: boolean;
  /** Between 0 and 1. */
  tokenF1: number;
  rougeL: number;
}

/** What the answers of one version come to, over all questions or over those of a topic or a difficulty. */
export interface Summary {
  questions: number;
  /** Questions that have an expected answer: only these are scored. */
  scored: number;
  exactMatches: number;
  /** Means over the scored questions, between 0 and 1; undefined where there are none. */
  exactRate: number | undefined;
  tokenF1: number | undefined;
  rougeL: number | undefined;
  /** Mean tokens of an answer, and how many answers were cut at the length. */
  outputTokens: number;
  cut: number;
}

/** The summaries of the questions that share a topic (or a difficulty); '' holds those that name none. */
export interface Group {
  name: string;
  summary: Summary;
}

/** What a summary needs to know of one answer. */
export interface ScoredAnswer {
  outputTokens: number;
  cut: boolean;
  scores: Scores | undefined;
}

/** Scores what comes after a model's thoughts; undefined where nothing is expected. */
export function scoreAnswer(text: string, expectedText: string): Scores | undefined {
  if (expectedText.trim() === '') return undefined;
  const { answer } = splitThoughts(text);
  const { answer: expected } = splitThoughts(expectedText);
  return {
    exact: exactMatch(answer, expected),
    tokenF1: tokenF1(answer, expected),
    rougeL: rougeL(answer, expected),
  };
}

/** undefined also where the model had no room to answer. */
export function scoreIfAnswered(
  { text, stopped }: Pick<Answer, 'text'> & Partial<Answer>,
  expected: string,
): Scores | undefined {
  return stopped === 'no room' ? undefined : scoreAnswer(text, expected);
}

export function summarise(answers: readonly ScoredAnswer[]): Summary {
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

/** Summaries of the answers that share a name, in the order in which the names appear. */
export function summariseBy(
  names: readonly string[],
  answers: readonly (ScoredAnswer | undefined)[],
): Group[] {
  return [...indicesBy(names)]
    .map(([name, indices]) => ({ name, answers: indices.flatMap((i) => answers[i] ?? []) }))
    .map(({ name, answers }) => ({ name, summary: summarise(answers) }));
}

/** Where each name stands, in the order in which the names appear. */
export function indicesBy(names: readonly string[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  names.forEach((name, i) => {
    const indices = found.get(name);
    if (indices) indices.push(i);
    else found.set(name, [i]);
  });
  return found;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
