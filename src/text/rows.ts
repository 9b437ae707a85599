import { UserError } from '../formats/user-error.ts';
import { writesDate } from './chat-template-files.ts';
import type { Columns, RowsSource } from './columns.ts';
import { type Moment, showMoment, wallClock } from './moment.ts';
import { readOrderedRows } from './read-rows.ts';
import { type EncodedRow, RowEncoder, type RowOutcome } from './row-encoder.ts';
import type { RowFormat } from './row-formats.ts';
import { RowHasher } from './row-hashes.ts';
import { RowsTally, type SkippedRow } from './rows-tally.ts';
import type { TextTokenizer } from './tokenizer.ts';

export { type EncodedRow, type RowOutcome, trainedTargets } from './row-encoder.ts';

export interface EncodedRows {
  rows: EncodedRow[];
  format: RowFormat;
  /** Whether the rows went through the chat template; otherwise they are plain text, or prompts and completions. */
  chat: boolean;
  /** The system prompt of all rows; undefined if they differ, or have none. */
  system: string | undefined;
  /** Rows skipped: nothing in them is trained, or the chat template drops what their answers need. */
  skipped: SkippedRow[];
  stats: Pick<RowsTally, 'tokens' | 'trainedTokens' | 'longest' | 'cut' | 'duplicates'>;
  /** Notes on the rows for the user, such as keys without effect; one sentence each. */
  notes: string[];
  /** The current date that the chat template wrote; undefined if it writes none. */
  date: Moment | undefined;
  /** Names of the file's columns, or of its first row's keys. */
  names: readonly string[];
  /** What the numbers of rows count: rows, where the file has no lines. */
  unit: 'line' | 'row';
  /** What was read as what, as the user said or by a guess; undefined where the columns have the keys' own names. */
  columns: Columns | undefined;
}

/** What rows are used for. */
export type RowsUse = 'train' | 'evaluate';

interface EncodeRowsOptions {
  /** Maximum tokens of a row: the recipe's `max_seq_length`. */
  maxLength: number;
  /** Positions that the model supports; longer rows are noted. */
  maxPositions?: number | undefined;
  /** The purpose of the rows, for messages. */
  use?: RowsUse;
  /** The current date for a chat template that writes it; by default now. */
  moment?: Moment | undefined;
  onProgress?: (progress: { rows: number; bytesRead: number; bytesTotal: number }) => void;
}

/**
 * Reads and encodes a dataset. Throws UserError naming file and line for anything that is not a row of the file's
 * format, or if no row has a trained token.
 */
export async function encodeRows(
  source: RowsSource,
  tokenizer: TextTokenizer,
  { maxLength, maxPositions, use = 'train', moment = wallClock(), onProgress }: EncodeRowsOptions,
): Promise<EncodedRows> {
  const rows: EncodedRow[] = [];
  const tally = new RowsTally(maxPositions);
  let last: RowOutcome | undefined;
  for await (const outcome of eachRow(source, tokenizer, { maxLength, moment }, tally)) {
    last = outcome;
    if (outcome.row) {
      rows.push(outcome.row);
    }
    onProgress?.({ rows: rows.length, bytesRead: outcome.bytesRead, bytesTotal: source.size });
  }
  if (!last) {
    const none = source.changes?.leftOut.length
      ? 'all of its rows are left out; put some back'
      : 'there are no rows in it; write one JSON object per line';
    throw new UserError(`${source.name}: ${none}.`);
  }
  const { skipped, tokens, trainedTokens, longest, cut, duplicates } = tally;
  if (rows.length === 0) {
    const { line, why } = skipped[0]!;
    const remedy =
      tally.leftOut > 0
        ? 'take a chat template that prints it, or put it into a turn that this one prints'
        : 'add answers, or raise max_seq_length';
    throw new UserError(
      `${source.name}: nothing to ${use} on, since none of its ${skipped.length} rows has a trained token (${tally.columns!.unit} ${line}: ${why}); ${remedy}.`,
    );
  }
  const stats = { tokens, trainedTokens, longest, cut, duplicates };
  const { format, chat } = last;
  const { system } = tally;
  const { names, columns, unit } = tally.columns!;
  const date = chat && writesDate(tokenizer.templates) ? moment : undefined;
  const notes = tally.notes(source.name);
  return { rows, format, chat, system, skipped, stats, notes, date, names, columns, unit };
}

/** The rows of a dataset one by one, counted in `tally`. Throws UserError naming file and line. */
export async function* eachRow(
  source: RowsSource,
  tokenizer: TextTokenizer,
  { maxLength, moment }: Pick<EncodeRowsOptions, 'maxLength' | 'moment'>,
  tally: RowsTally,
): AsyncGenerator<RowOutcome> {
  const hasher = await RowHasher.create();
  const encoder = new RowEncoder(source, tokenizer, { maxLength, moment, hasher }, tally);
  for await (const raw of readOrderedRows(source)) {
    yield encoder.encode(raw);
  }
}

/** The note about a date that a chat template wrote. */
export const dateNote = (date: Moment): string =>
  `The chat template writes the current date: here ${showMoment(date)}. A run keeps the date of its start, also when it is resumed.`;

/** A row's text in pieces, trained or not, for a preview. */
export function renderRow(
  tokenizer: TextTokenizer,
  row: Pick<EncodedRow, 'ids' | 'trained'>,
): { text: string; trained: boolean }[] {
  const pieces: { text: string; trained: boolean }[] = [];
  const { ids, trained } = row;
  for (let begin = 0, end; begin < ids.length; begin = end) {
    for (end = begin + 1; end < ids.length && trained[end] === trained[begin];) {
      end++;
    }
    pieces.push({ text: tokenizer.decode(ids.subarray(begin, end)), trained: trained[begin] === 1 });
  }
  return pieces;
}
