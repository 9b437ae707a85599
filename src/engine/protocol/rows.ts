import type { ChosenFile, ChosenFolder } from '../../platform/chosen-files.ts';
import type { FoundRows } from '../../text/find-rows.ts';
import type { RowsSurvey, SurveyedRow } from '../../text/rows-survey.ts';
import type { Answer } from '../answer.ts';
import type { OnProgress } from '../watch.ts';

export type { FoundRows } from '../../text/find-rows.ts';
export type { RowsSummary, RowsSurvey } from '../../text/rows-survey.ts';

/** A row as it is shown. */
export interface ShownRow extends SurveyedRow {
  /** The row in its file's own keys, as JSON over several lines; undefined where it is too long to be edited. */
  json: string | undefined;
  /** Its text as the model reads it, in pieces: trained or not. */
  pieces: readonly { text: string; trained: boolean }[];
  /** Characters of it that are not among the pieces. */
  hidden: number;
  /** Why nothing of it is trained; '' if something is. */
  why: string;
}

/**
 * Looking through all rows of a file: what they become, single ones, and those that hold a text. Of the changes over
 * the file, edited rows count everywhere; rows left out count only where rows are exported.
 */
export interface RowsApi {
  /** Encodes all rows; with the SHA-256 of the file, for changes over it. */
  surveyRows(
    base: ChosenFolder,
    rows: ChosenFile,
    maxLength: number,
    onProgress?: OnProgress,
    signal?: AbortSignal,
  ): Promise<Answer<{ survey: RowsSurvey; sha256: string }>>;
  /** The rows of these numbers, ascending. */
  showRows(
    base: ChosenFolder,
    rows: ChosenFile,
    maxLength: number,
    places: readonly number[],
    signal?: AbortSignal,
  ): Promise<Answer<ShownRow[]>>;
  /** Some questions that a file of rows, or of questions, has, up to `most`. */
  promptsIn(
    file: ChosenFile,
    of: 'rows' | 'questions',
    most: number,
    signal?: AbortSignal,
  ): Promise<Answer<string[]>>;
  findRows(
    rows: ChosenFile,
    text: string,
    onProgress?: OnProgress,
    signal?: AbortSignal,
  ): Promise<Answer<FoundRows>>;
  /** The rows as they are trained, as JSONL. */
  exportRows(rows: ChosenFile, onProgress?: OnProgress, signal?: AbortSignal): Promise<Answer<Blob>>;
  /** The same as token ids and labels, in Parquet, as a hand-over has them. */
  exportTokens(
    base: ChosenFolder,
    rows: ChosenFile,
    maxLength: number,
    onProgress?: OnProgress,
    signal?: AbortSignal,
  ): Promise<Answer<Blob>>;
}
