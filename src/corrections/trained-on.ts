import { exactMatch } from '../comparison/metrics.ts';
import { type Correction, isApproval } from './correction.ts';

/** What versions of a test were trained to answer to one of its questions. */
export interface TrainedQuestion {
  answer: string;
  /** Whether it was a version's own answer, which the user approved. */
  approved: boolean;
  /** The versions that were trained on it, by index. */
  versions: readonly number[];
}

/** What became of a corrected question from one version to the next. */
export type Mending = 'mended' | 'not mended' | 'kept' | 'lost';

/**
 * Which of a test's questions its versions were trained on, from the corrections of each; a correction that depends on
 * what was said before is of another question. Of several, the last version's counts.
 */
export function trainedQuestions(
  questions: readonly { question: string }[],
  byVersion: readonly (readonly Correction[])[],
): (TrainedQuestion | undefined)[] {
  const found = byVersion.map(
    (corrections) =>
      new Map(
        corrections.flatMap((one) =>
          (one.history ?? []).length === 0 ? [[one.question.trim(), one] as const] : [],
        ),
      ),
  );
  return questions.map(({ question }) => {
    const own = found.map((corrections) => corrections.get(question.trim()));
    const last = own.findLast((one) => one !== undefined);
    return (
      last && {
        answer: last.answer,
        approved: isApproval(last),
        versions: own.flatMap((one, version) => (one ? [version] : [])),
      }
    );
  });
}

/** Whether the correction shows in the answers of a version before it and of the one that was trained on it. */
export function mendingOf(answer: string, before: string, after: string): Mending {
  const [was, is] = [exactMatch(before, answer), exactMatch(after, answer)];
  if (was) {
    return is ? 'kept' : 'lost';
  }
  return is ? 'mended' : 'not mended';
}
