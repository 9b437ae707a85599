import { bootstrapInterval, RESAMPLES } from './bootstrap.ts';
import type { Question } from './questions.ts';
import { indicesBy, type Scores } from './scores.ts';

/** Whether the second version is better than the first, in one figure. */
export interface Headline {
  /** The metric: exact matches if any version has one, otherwise token F1. */
  metric: 'exact match' | 'token F1';
  /** Means of the two versions over the scored questions, between 0 and 1. */
  means: readonly [a: number, b: number];
  /** b − a, and its 95% interval from a paired bootstrap over the questions. */
  difference: number;
  interval: readonly [low: number, high: number];
  verdict: 'improved' | 'worse' | 'no clear difference';
  /** Number of questions behind the figure, and of bootstrap resamples. */
  questions: number;
  resamples: number;
}

/** How the second version's answer compares with the first's: by exact match, then by token F1. */
export type Change = 'better' | 'worse' | 'same';

/** A topic or difficulty, and how the second version does there. */
export interface GroupChange {
  name: string;
  /** Scored questions in it. */
  questions: number;
  /** Means of the headline's metric. */
  means: readonly [a: number, b: number];
  difference: number;
}

/** The second version against the first, over the questions for which both have a score. */
interface VersionComparison {
  /** Undefined if there is no such question. */
  headline: Headline | undefined;
  /** By question; undefined if one of the two has no score. */
  changes: (Change | undefined)[];
  /** The one that fell most comes first; negative differences got worse. */
  topics: GroupChange[];
  difficulties: GroupChange[];
}

/** One seed for all comparisons: the same answers give the same interval in the page and on the command line. */
const SEED = 42;

type MaybeScores = readonly (Scores | undefined)[];

/** All lists are in question order. */
export function compareScores(
  questions: readonly Pick<Question, 'topic' | 'difficulty'>[],
  a: MaybeScores,
  b: MaybeScores,
): VersionComparison {
  const both = questions.flatMap((_, i) => (a[i] && b[i] ? [i] : []));
  const anyExact = both.some((i) => a[i]!.exact || b[i]!.exact);
  const value = ({ exact, tokenF1 }: Scores): number => (anyExact ? Number(exact) : tokenF1);
  const means = (indices: readonly number[]): [number, number] => [
    mean(indices.map((i) => value(a[i]!))),
    mean(indices.map((i) => value(b[i]!))),
  ];
  const group = (names: readonly string[]): GroupChange[] =>
    [...indicesBy(both.map((i) => names[i]!))]
      .map(([name, places]) => {
        const [first, second] = means(places.map((place) => both[place]!));
        const change = { means: [first, second] as const, difference: second - first };
        return { name, questions: places.length, ...change };
      })
      .toSorted((x, y) => x.difference - y.difference);
  const differences = both.map((i) => value(b[i]!) - value(a[i]!));
  return {
    headline:
      both.length === 0
        ? undefined
        : headline(anyExact ? 'exact match' : 'token F1', means(both), differences),
    changes: questions.map((_, i) => a[i] && b[i] && change(a[i], b[i])),
    topics: group(questions.map(({ topic }) => topic)),
    difficulties: group(questions.map(({ difficulty }) => difficulty)),
  };
}

function headline(
  metric: Headline['metric'],
  means: readonly [number, number],
  differences: readonly number[],
): Headline {
  const interval = bootstrapInterval(differences, SEED);
  const [low, high] = interval;
  return {
    metric,
    means,
    difference: mean(differences),
    interval,
    verdict: low > 0 ? 'improved' : high < 0 ? 'worse' : 'no clear difference',
    questions: differences.length,
    resamples: RESAMPLES,
  };
}

function change(a: Scores, b: Scores): Change {
  const gain = Number(b.exact) - Number(a.exact) || b.tokenF1 - a.tokenF1;
  return gain > 0 ? 'better' : gain < 0 ? 'worse' : 'same';
}

const mean = (values: readonly number[]): number => values.reduce((x, y) => x + y, 0) / values.length;
