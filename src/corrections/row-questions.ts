import type { RowsSource } from '../text/columns.ts';
import type { ReadRow } from '../text/row-formats.ts';
import { readRowsOf } from './correction-rows.ts';
import { formOf, questionOf } from './row-form.ts';

/** Rows of a file that are read. */
const MAX_READ = 1000;

/**
 * Questions that the rows of a file answer, up to `most`, spread evenly over its first thousand rows; none where question
 * and answer cannot be told apart. Throws UserError for rows that cannot be read.
 */
export async function rowQuestions(source: RowsSource, most: number): Promise<string[]> {
  const rows: ReadRow[] = [];
  for await (const { read } of readRowsOf(source)) {
    rows.push(read);
    if (rows.length === MAX_READ) {
      break;
    }
  }
  if (rows.length === 0) {
    return [];
  }
  const { form, known } = formOf(rows, undefined);
  return known
    ? someOf(
        rows.flatMap(({ sample }) => questionOf(form, sample) ?? []),
        most,
      )
    : [];
}

/** Up to `most` different texts, evenly from the first to the last. */
export function someOf(texts: readonly string[], most: number): string[] {
  const different = [...new Set(texts)].filter((text) => text.trim() !== '');
  const count = Math.min(most, different.length);
  return Array.from({ length: count }, (_, i) => different[Math.floor((i * different.length) / count)]!);
}
