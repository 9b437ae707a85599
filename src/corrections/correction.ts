import { Fields } from '../formats/fields.ts';
import { showCount } from '../formats/words.ts';

/** One turn before the question, in a conversation. */
export interface EarlierTurn {
  question: string;
  answer: string;
}

/** What a version should have answered, in the user's words; or its own answer, approved. */
export interface Correction {
  question: string;
  /** What the version had answered. */
  was: string;
  /** What it should have answered; the same as `was` where the user approved of it. */
  answer: string;
  /** The system prompt that it was asked under; undefined: that of the rows, if they all had one. */
  system?: string | undefined;
  /** What was said before, oldest first. */
  history?: readonly EarlierTurn[] | undefined;
  /** The name of the version that had answered: V2. */
  version: string;
  /** Milliseconds since 1970. */
  changed: number;
}

/** Maximum characters of a text of a correction, and of corrections in a tray. */
const MAX_TEXT = 100_000;
const MAX_NAME = 1000;
export const MAX_CORRECTIONS = 10_000;
const MAX_HISTORY = 1000;

/** Why an answer cannot be kept as a correction; undefined where it can. */
export function correctionProblem(answer: string): string | undefined {
  if (answer.trim() === '') {
    return 'The correction is empty, expected what should have been answered; write it, or press Esc to leave the answer as it is.';
  }
  if (answer.length > MAX_TEXT) {
    return `The correction has ${showCount(answer.length)} characters, expected at most ${showCount(MAX_TEXT)}; shorten it.`;
  }
  return undefined;
}

/** Whether the user kept the version's own answer. */
export const isApproval = ({ was, answer }: Pick<Correction, 'was' | 'answer'>): boolean =>
  was.trim() === answer.trim();

/** What of a correction says which question it is of: one question has one right answer. */
export type AskedQuestion = Pick<Correction, 'question' | 'system' | 'history'>;

const keyOf = ({ question, system, history = [] }: AskedQuestion): string =>
  JSON.stringify([
    question.trim(),
    system?.trim() ?? '',
    ...history.map((turn) => [turn.question.trim(), turn.answer.trim()]),
  ]);

export function correctionOf<T extends AskedQuestion>(
  corrections: readonly T[],
  asked: AskedQuestion,
): T | undefined {
  const key = keyOf(asked);
  return corrections.find((one) => keyOf(one) === key);
}

/** With one more, in place of an earlier one of the same question. */
export function withCorrection(corrections: readonly Correction[], correction: Correction): Correction[] {
  const key = keyOf(correction);
  const at = corrections.findIndex((one) => keyOf(one) === key);
  return at < 0 ? [...corrections, correction] : corrections.with(at, correction);
}

export function withoutCorrection(corrections: readonly Correction[], asked: AskedQuestion): Correction[] {
  const key = keyOf(asked);
  return corrections.filter((one) => keyOf(one) !== key);
}

/** What a change of `before` into `after` makes of `now`, which another tab may have changed meanwhile. */
export function rebased(
  after: readonly Correction[],
  before: readonly Correction[],
  now: readonly Correction[],
): readonly Correction[] {
  // Where nobody else changed anything, the order is that of the change.
  if (isSame(now, before)) {
    return after;
  }
  const [had, has] = [byQuestion(before), byQuestion(after)];
  const all = byQuestion(now);
  for (const key of had.keys()) {
    if (!has.has(key)) {
      all.delete(key);
    }
  }
  for (const [key, one] of has) {
    if (!isSame(had.get(key), one)) {
      all.set(key, one);
    }
  }
  return [...all.values()];
}

const byQuestion = (corrections: readonly Correction[]): Map<string, Correction> =>
  new Map(corrections.map((one) => [keyOf(one), one]));

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Corrections as an archive brings them, within bounds. `file` and `remedy` are of its messages. Throws UserError. */
export function parseCorrections(value: unknown, file: string, remedy: string): Correction[] {
  if (!Array.isArray(value) || value.length > MAX_CORRECTIONS) {
    const found = Array.isArray(value) ? `${value.length} of them` : value;
    const expected = `a list of at most ${MAX_CORRECTIONS}`;
    return new Fields(file, { corrections: found }, '', remedy).refuse('corrections', expected);
  }
  return value.map((entry: unknown, i) => {
    const fields = new Fields(file, entry, `[${i}].`, remedy);
    const history = fields.has('history') ? parseHistory(fields, file, remedy, i) : undefined;
    return {
      question: text(fields, 'question'),
      was: text(fields, 'was'),
      answer: text(fields, 'answer'),
      ...(fields.has('system') && { system: text(fields, 'system') }),
      ...(history && { history }),
      version: text(fields, 'version', MAX_NAME),
      changed: fields.number('changed', { whole: true, min: 0 }),
    };
  });
}

function parseHistory(fields: Fields, file: string, remedy: string, i: number): EarlierTurn[] {
  const turns = fields.value('history');
  if (!Array.isArray(turns) || turns.length > MAX_HISTORY) {
    return fields.refuse('history', `a list of at most ${MAX_HISTORY} questions with their answers`);
  }
  return turns.map((turn: unknown, j) => {
    const of = new Fields(file, turn, `[${i}].history[${j}].`, remedy);
    return { question: text(of, 'question'), answer: text(of, 'answer') };
  });
}

function text(fields: Fields, key: string, max = MAX_TEXT): string {
  const found = fields.string(key);
  return found.length <= max ? found : fields.refuse(key, `text of at most ${max} characters`);
}
