import { NumberText } from '../formats/json.ts';
import type { RowsSource } from './columns.ts';
import { readOrderedRows } from './read-rows.ts';

/** Rows that hold a text. */
export interface FoundRows {
  /** Their numbers, ascending. */
  places: number[];
  /** Whether the search ended at the most that are listed, before the end of the file. */
  more: boolean;
}

/** Rows that a search finds before it ends. */
export const MAX_FOUND = 1000;

/**
 * The rows in whose values the text stands, in any case of letters, up to `most`. Throws UserError naming file and
 * line for what cannot be read.
 */
export async function rowsHolding(
  source: RowsSource,
  text: string,
  onProgress: (bytesRead: number) => void,
  most = MAX_FOUND,
): Promise<FoundRows> {
  const wanted = text.toLowerCase();
  const places: number[] = [];
  for await (const { row, place, bytesRead } of readOrderedRows(source)) {
    if (holds(row, wanted)) {
      if (places.length === most) {
        return { places, more: true };
      }
      places.push(place);
    }
    onProgress(bytesRead);
  }
  return { places, more: false };
}

function holds(value: unknown, wanted: string): boolean {
  if (typeof value === 'string') {
    return value.toLowerCase().includes(wanted);
  }
  if (value instanceof NumberText) {
    return value.text.includes(wanted);
  }
  if (Array.isArray(value)) {
    return value.some((inner) => holds(inner, wanted));
  }
  return (
    value instanceof Map &&
    [...(value as Map<string, unknown>).values()].some((inner) => holds(inner, wanted))
  );
}
