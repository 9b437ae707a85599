import type { RowsSource } from './columns.ts';
import { type Moment, wallClock } from './moment.ts';
import type { RowFormat } from './row-formats.ts';
import { eachRow, type RowOutcome, trainedTargets } from './rows.ts';
import { rowHash, RowsTally } from './rows-tally.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** What each row of a file becomes: lists with an entry a row, in the file's order. */
export interface RowsSurvey {
  format: RowFormat;
  /** What the row numbers count. */
  unit: 'line' | 'row';
  /** Tokens at which rows are cut. */
  maxLength: number;
  /** Row numbers, ascending. */
  places: Uint32Array;
  /** Tokens before a row is cut. */
  lengths: Uint32Array;
  /** Trained tokens after it is cut; 0 for a row that is skipped. */
  trained: Uint32Array;
  /** Equal for rows with the same tokens, of which the same are trained. */
  hashes: Float64Array;
}

/** One row's entry. */
export type SurveyedRow = Record<'place' | 'length' | 'trained' | 'hash', number>;

/** Counts over a survey's rows without those that are left out. */
export interface RowsSummary {
  /** Rows that are trained; those of which nothing is. */
  rows: number;
  skipped: number;
  /** Of the rows that are trained, after they are cut. */
  tokens: number;
  trainedTokens: number;
  cut: number;
  /** Rows with the same tokens as an earlier row. */
  duplicates: number;
  /** Tokens of the longest row before it is cut, and its number; 0 and 0 if there is none. */
  longest: number;
  longestPlace: number;
  /** Rows by length: `bins[i]` counts those of `i * binWidth` tokens and more. */
  binWidth: number;
  bins: Uint32Array;
}

const MAX_BINS = 40;

/** Encodes all rows of a file. Throws UserError naming file and line. */
export async function surveyOf(
  source: RowsSource,
  tokenizer: TextTokenizer,
  { maxLength, moment = wallClock() }: { maxLength: number; moment?: Moment },
  onProgress: (bytesRead: number) => void,
): Promise<RowsSurvey> {
  const tally = new RowsTally();
  const rows: SurveyedRow[] = [];
  let format: RowFormat = 'text';
  let lists = false;
  for await (const outcome of eachRow(source, tokenizer, { maxLength, moment }, tally)) {
    ({ format } = outcome);
    lists ||= outcome.place !== outcome.line;
    rows.push(surveyedRow(outcome));
    onProgress(outcome.bytesRead);
  }
  return {
    format,
    unit: lists ? 'row' : (tally.columns?.unit ?? 'line'),
    maxLength,
    places: Uint32Array.from(rows, ({ place }) => place),
    lengths: Uint32Array.from(rows, ({ length }) => length),
    trained: Uint32Array.from(rows, ({ trained }) => trained),
    hashes: Float64Array.from(rows, ({ hash }) => hash),
  };
}

export const surveyedRow = ({ place, length, encoded, row }: RowOutcome): SurveyedRow => ({
  place,
  length,
  trained: row ? trainedTargets(row) : 0,
  hash: rowHash(encoded.ids, encoded.trained),
});

/** The index of a row number; -1 if there is none. */
function indexOfRow({ places }: Pick<RowsSurvey, 'places'>, place: number): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (places[middle]! < place) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return places[low] === place ? low : -1;
}

/** The same survey with another entry for a row. */
export function withSurveyed(survey: RowsSurvey, { place, length, trained, hash }: SurveyedRow): RowsSurvey {
  const at = indexOfRow(survey, place);
  return {
    ...survey,
    lengths: survey.lengths.with(at, length),
    trained: survey.trained.with(at, trained),
    hashes: survey.hashes.with(at, hash),
  };
}

export function summarizeRows(survey: RowsSurvey, leftOut: ReadonlySet<number>): RowsSummary {
  const { places, lengths, trained, hashes, maxLength } = survey;
  const summary = { rows: 0, skipped: 0, tokens: 0, trainedTokens: 0, cut: 0, duplicates: 0 };
  const seen = new Set<number>();
  let [longest, longestPlace] = [0, 0];
  const kept: number[] = [];
  places.forEach((place, i) => {
    if (leftOut.has(place)) {
      return;
    }
    const length = lengths[i]!;
    kept.push(length);
    if (length > longest) {
      [longest, longestPlace] = [length, place];
    }
    if (trained[i] === 0) {
      summary.skipped++;
      return;
    }
    summary.rows++;
    summary.tokens += Math.min(length, maxLength);
    summary.trainedTokens += trained[i]!;
    summary.cut += length > maxLength ? 1 : 0;
    summary.duplicates += seen.has(hashes[i]!) ? 1 : 0;
    seen.add(hashes[i]!);
  });
  const binWidth = niceWidth(longest);
  const bins = new Uint32Array(Math.floor(longest / binWidth) + 1);
  for (const length of kept) {
    bins[Math.floor(length / binWidth)]!++;
  }
  return { ...summary, longest, longestPlace, binWidth, bins };
}

/** The row numbers of rows that have the same tokens as an earlier one that is not left out, and which that is. */
export function duplicatesOf({ places, trained, hashes }: RowsSurvey, leftOut: ReadonlySet<number>) {
  const first = new Map<number, number>();
  const found = new Map<number, number>();
  places.forEach((place, i) => {
    if (trained[i] === 0 || leftOut.has(place)) {
      return;
    }
    const earlier = first.get(hashes[i]!);
    if (earlier === undefined) {
      first.set(hashes[i]!, place);
    } else {
      found.set(place, earlier);
    }
  });
  return found;
}

/** The least of 1, 2, 5, 10, 20, … that makes few enough bins up to `longest`. */
function niceWidth(longest: number): number {
  for (let power = 1; ; power *= 10) {
    const width = [1, 2, 5].map((n) => n * power).find((n) => longest / n < MAX_BINS);
    if (width !== undefined) {
      return width;
    }
  }
}
