import type { GroupChange, Headline } from '../../comparison/headline.ts';
import { splitThoughts } from '../../comparison/thoughts.ts';
import { mendingOf } from '../../corrections/trained-on.ts';
import type { TestComparison, TestDetail } from '../../engine/protocol/comparison.ts';

/** Which questions of a test are shown, and in what order. */
export interface AnswerFilter {
  show: 'all' | 'better' | 'worse' | 'differ' | 'unvoted' | 'trained' | 'untrained' | keyof Mended;
  topic: string | undefined;
  difficulty: string | undefined;
  /** Found in question, expected answer or any answer, whatever the case. */
  text: string;
  sort: 'file' | 'fell' | 'rose' | 'longest';
}

/** What the answers' differences are marked against. */
export type Marks = 'expected' | 'first' | 'none';

export const everything: AnswerFilter = {
  show: 'all',
  topic: undefined,
  difficulty: undefined,
  text: '',
  sort: 'file',
};

/** What became of a test's questions since some were corrected and trained on: their indices. */
export interface Mended {
  /** Corrected ones that are now answered as corrected; those that are not; and approved answers that stayed. */
  mended: number[];
  unmended: number[];
  kept: number[];
  /** Approved answers that are gone, and questions that got worse without having been corrected. */
  lost: number[];
}

/** The second compared version against the first, where that one was trained on corrections and the first was not. */
export function mendedIn(detail: TestDetail, comparison: TestComparison): Mended | undefined {
  const [a, b] = comparison.versions;
  const found: Mended = { mended: [], unmended: [], kept: [], lost: [] };
  const newly = (i: number) => {
    const { versions = [] } = detail.trained[i] ?? {};
    return versions.includes(b) && !versions.includes(a);
  };
  if (!detail.questions.some((_, i) => newly(i))) {
    return undefined;
  }
  detail.questions.forEach((_, i) => {
    const [before, after] = [a, b].map((version) => detail.versions[version]?.answers[i]?.text);
    if (before === undefined || after === undefined) {
      return;
    }
    if (!newly(i)) {
      if (comparison.changes[i] === 'worse') {
        found.lost.push(i);
      }
      return;
    }
    const words = (text: string) => splitThoughts(text).answer;
    const place = ({ mended: 'mended', 'not mended': 'unmended', kept: 'kept', lost: 'lost' } as const)[
      mendingOf(detail.trained[i]!.answer, words(before), words(after))
    ];
    found[place].push(i);
  });
  return found;
}

/** Indices of the questions that pass the filter, sorted. */
export function shownQuestions(
  detail: TestDetail,
  comparison: TestComparison | undefined,
  filter: AnswerFilter,
): number[] {
  const { questions, versions, votes } = detail;
  const text = filter.text.trim().toLowerCase();
  const answers = (i: number) => versions.map((results) => results.answers[i]?.text);
  const mended = comparison && mendedIn(detail, comparison);
  const left = questions.flatMap(({ question, answer, topic, difficulty }, i) => {
    if (filter.topic !== undefined && topic !== filter.topic) {
      return [];
    }
    if (filter.difficulty !== undefined && difficulty !== filter.difficulty) {
      return [];
    }
    if (text && ![question, answer, ...answers(i)].some((part) => part?.toLowerCase().includes(text))) {
      return [];
    }
    switch (filter.show) {
      case 'all':
        return [i];
      case 'unvoted':
        return votes[i] === undefined ? [i] : [];
      case 'trained':
      case 'untrained':
        return (detail.trained[i] !== undefined) === (filter.show === 'trained') ? [i] : [];
      case 'mended':
      case 'unmended':
      case 'kept':
      case 'lost':
        return mended?.[filter.show].includes(i) ? [i] : [];
      case 'differ':
        return new Set(answers(i).flatMap((text) => (text === undefined ? [] : splitThoughts(text).answer)))
          .size > 1
          ? [i]
          : [];
      default:
        return comparison?.changes[i] === filter.show ? [i] : [];
    }
  });
  const key = sortKey(detail, comparison, filter.sort);
  return key ? left.toSorted((i, j) => key(i) - key(j) || i - j) : left;
}

function sortKey(
  { versions }: TestDetail,
  comparison: TestComparison | undefined,
  sort: AnswerFilter['sort'],
): ((i: number) => number) | undefined {
  if (sort === 'file') {
    return undefined;
  }
  if (sort === 'longest') {
    return (i) => -Math.max(...versions.map(({ answers }) => answers[i]?.outputTokens ?? 0));
  }
  if (!comparison) {
    return undefined;
  }
  const [a, b] = comparison.versions;
  const gain = (i: number) => {
    const [before, after] = [versions[a]?.scores[i], versions[b]?.scores[i]];
    if (!before || !after) {
      return 0;
    }
    // An exact match weighs more than any share of words.
    return Number(after.exact) - Number(before.exact) + after.tokenF1 - before.tokenF1;
  };
  return sort === 'fell' ? gain : (i) => -gain(i);
}

/** A share as points of a hundred, signed: "+37.5". */
export const points = (share: number): string => {
  const shown = (100 * share).toFixed(1);
  return share > 0 && Number(shown) !== 0 ? `+${shown}` : shown.replace('-', '−').replace(/^−0\.0$/, '0.0');
};

/** A share of a hundred: "62.5%". */
export const percent = (share: number | undefined): string =>
  share === undefined ? '–' : `${(100 * share).toFixed(1)}%`;

/** The headline in words, for readers without statistics. */
export function headlineWords(
  headline: Headline,
  [a, b]: readonly [string, string],
): { title: string; lines: readonly string[] } {
  const { verdict, difference, interval, means, questions, metric } = headline;
  const title = {
    improved: `${b} is better than ${a}`,
    worse: `${b} is worse than ${a}`,
    'no clear difference': `No clear difference between ${a} and ${b}`,
  }[verdict];
  const what =
    metric === 'exact match'
      ? `Of ${questions} questions with an expected answer, ${a} gives exactly that answer to ${percent(means[0])}, ${b} to ${percent(means[1])}: ${points(difference)} points.`
      : `Over ${questions} questions with an expected answer, ${a} reaches a token F1 of ${percent(means[0])}, ${b} of ${percent(means[1])}: ${points(difference)} points.`;
  const [low, high] = interval;
  const range = `With other questions of this kind the difference would vary; with 95% confidence it lies between ${points(low)} and ${points(high)} points`;
  const means95 = {
    improved: `${range}, so the gain is unlikely to be chance.`,
    worse: `${range}, so the loss is unlikely to be chance.`,
    'no clear difference': `${range}. That includes zero: more questions would narrow it.`,
  }[verdict];
  return { title, lines: [what, means95] };
}

/** Topics or difficulties that got worse, the one that fell most first. */
export const regressions = (groups: readonly GroupChange[]): readonly GroupChange[] =>
  groups.filter(({ difference }) => difference < 0);
