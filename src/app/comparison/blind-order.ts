import type { TestDetail } from '../../engine/protocol/comparison.ts';
import { shuffled } from '../shared/votes.ts';

/** The two versions in the order in which a question's answers are shown: the same each time, another for each question. */
export const blindSides = (
  test: string,
  question: number,
  versions: readonly [a: number, b: number],
): readonly number[] => shuffled(versions, seedOf(test), question);

/** Questions without a vote that both versions answered, and differently. */
export function blindQuestions(
  { questions, versions, votes }: Pick<TestDetail, 'questions' | 'versions' | 'votes'>,
  [a, b]: readonly [a: number, b: number],
): number[] {
  return questions.flatMap((_, i) => {
    const [one, other] = [versions[a]!.answers[i], versions[b]!.answers[i]];
    const both = one && other && one.error === undefined && other.error === undefined;
    return both && one.text !== other.text && votes[i] === undefined ? [i] : [];
  });
}

/** An integer below 2³² of a test's id. */
function seedOf(id: string): number {
  let seed = 0;
  for (let i = 0; i < id.length; i++) {
    seed = (Math.imul(seed, 31) + id.charCodeAt(i)) >>> 0;
  }
  return seed;
}
