import type { RecipeSetting } from '../../formats/recipe/settings.ts';
import { counted, showCount } from '../../formats/words.ts';
import type { EncodedRow, EncodedRows } from '../../text/rows.ts';

/** What an advisory is about, in the order in which they are given. */
export const ADVISORY_TITLES = {
  'learning-rate': 'Learning rate',
  warmup: 'Warmup',
  'short-epoch': 'Short epoch',
  modules: 'Modules',
  form: 'Form of the rows',
  cut: 'Rows cut',
  'no-end': 'No end token',
  shared: 'Trained and validated',
  'trained-before': 'Trained before',
  duplicates: 'Duplicates',
  'near-duplicates': 'Near-duplicates',
  conflicts: 'Conflicting answers',
} as const;

export type AdvisoryKind = keyof typeof ADVISORY_TITLES;

/** Something about a run that is worth a look before it starts; it never blocks. */
export interface Advisory {
  readonly kind: AdvisoryKind;
  /** What was found, with its figures; a sentence without its full stop. */
  readonly found: string;
  /** What mends it, any one of them, the best first; empty where only other files do. */
  readonly remedies: readonly Remedy[];
}

/** A change that mends it, and what to call it: "set learning_rate to 5e-5". */
export type Remedy = { readonly label: string } & (
  | { readonly kind: 'set'; readonly settings: Readonly<Record<string, unknown>> }
  /** Leaves rows of the training file out, by their places in it. */
  | { readonly kind: 'leave-out'; readonly rows: readonly number[] }
  /** Holds training rows out in place of the validation file, if there are enough. */
  | { readonly kind: 'hold-out' }
);

/** An advisory in one sentence, with what mends it. */
export function advisoryText({ found, remedies }: Advisory): string {
  const labels = remedies.map(({ label }) => label);
  return labels.length === 0 ? `${found}.` : `${found}; ${labels.join(', or ')}.`;
}

/** A setting's new value, by the key of the recipe. */
export const setting = ({ key }: Pick<RecipeSetting, 'key'>, value: unknown): Record<string, unknown> => ({
  [key]: value,
});

/** Leaves rows out, unless nothing would be left of them. */
export const leavingOut = (
  rows: readonly EncodedRow[],
  of: readonly EncodedRow[],
  label: string,
): readonly Remedy[] =>
  rows.length === of.length ? [] : [{ kind: 'leave-out', rows: rows.map(({ place }) => place), label }];

/** Rows named in a sentence. */
const MAX_NAMED = 4;

/** "line 3", "lines 3, 7 and 9", "lines 3, 7, 9, 12 and 40 more". */
export function namedRows(
  rows: readonly Pick<EncodedRow, 'line'>[],
  { unit }: Pick<EncodedRows, 'unit'>,
): string {
  const few = rows.length <= MAX_NAMED + 1 ? rows : rows.slice(0, MAX_NAMED);
  const names = few.map(({ line }) => String(line));
  if (few.length < rows.length) {
    names.push(`${showCount(rows.length - few.length)} more`);
  }
  const last = names.pop()!;
  return names.length === 0 ? `${unit} ${last}` : `${unit}s ${names.join(', ')} and ${last}`;
}

/** "1 row is", "2 rows are". */
export const rowsAre = (count: number): string => `${counted(count, 'row')} ${count === 1 ? 'is' : 'are'}`;
