import { UserError } from '../formats/user-error.ts';
import { writesDate } from './chat-template-files.ts';
import type { Columns, RowsSource } from './columns.ts';
import { SampleEncoder } from './encode-sample.ts';
import { inLine } from './in-line.ts';
import { type Moment, showMoment, wallClock } from './moment.ts';
import { readOrderedRows } from './read-rows.ts';
import { RowColumns } from './row-columns.ts';
import { readRow, type RowFormat, systemPromptOf } from './row-formats.ts';
import { RowsTally, type SkippedRow } from './rows-tally.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** A dataset row as the model sees it. */
export interface EncodedRow {
  /** Token ids, at most maxLength. */
  ids: Uint32Array;
  /** 1 for trained targets. (Never for the first token: nothing predicts it.) */
  trained: Uint8Array;
  /** Line of the file, from 1. */
  line: number;
  /** Its number: in a JSON list or a Parquet file its index, otherwise the line; from 1. */
  place: number;
  /** Whether the row was longer than maxLength and was truncated. */
  cut: boolean;
}

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

/** A row from the reader: encoded, or skipped with the reason. */
export interface RowOutcome {
  line: number;
  /** Its number, as of EncodedRow. */
  place: number;
  format: RowFormat;
  chat: boolean;
  row: EncodedRow | undefined;
  /** Set if `row` is undefined. */
  why: string;
  bytesRead: number;
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
  const encoder = new SampleEncoder(tokenizer, moment);
  let first: RowFormat | undefined;
  const columns = (tally.columns = new RowColumns(source.name, source.columns));
  for await (const raw of readOrderedRows(source)) {
    const { line, place, bytesRead } = raw;
    columns.decide(raw);
    const how = raw.edited ? `, as ${source.changes?.from ? `${source.changes.from} has it` : 'edited'}` : '';
    const outcome = inLine(`${source.name}, ${columns.unit} ${line}${how}`, (): RowOutcome => {
      const { row, names, unused } = columns.read(raw);
      const inRow = readRow(row, names);
      const read = { ...inRow, unused: [...inRow.unused, ...unused] };
      const { sample, format, contextOnly } = read;
      first ??= format;
      if (format !== first) {
        throw new UserError(
          `found a row of the form "${format}" after rows of the form "${first}"; keep to one`,
        );
      }
      const spelledBefore = encoder.spelledOut;
      const { ids, trained, leftOut } = encoder.encode(sample);
      tally.read(read, encoder.spelledOut - spelledBefore, leftOut);
      const cut = ids.length > maxLength;
      const encoded = {
        ids: Uint32Array.from(cut ? ids.slice(0, maxLength) : ids),
        trained: Uint8Array.from(cut ? trained.slice(0, maxLength) : trained),
        line,
        place,
        cut,
      };
      const { needed } = leftOut;
      const targets = contextOnly || needed !== undefined ? 0 : trainedTargets(encoded);
      const chat = sample.kind === 'chat';
      const shared = { line, place, format, chat, bytesRead };
      if (targets > 0) {
        tally.prompted(systemPromptOf(sample));
        tally.take(format, encoded.ids, encoded.trained, targets, cut);
        return { ...shared, row: encoded, why: '' };
      }
      const why = contextOnly
        ? 'its weight is 0'
        : needed !== undefined
          ? `the chat template leaves out ${needed}`
          : cut
            ? `no trained token within ${maxLength} tokens`
            : 'no trained token';
      tally.skip({ line, place, why }, !contextOnly && needed !== undefined);
      return { ...shared, row: undefined, why };
    });
    yield outcome;
  }
}

/** The note about a date that a chat template wrote. */
export const dateNote = (date: Moment): string =>
  `The chat template writes the current date: here ${showMoment(date)}. A run keeps the date of its start, also when it is resumed.`;

/** Targets of a row after the shift: trained tokens of index 1 and up. */
export function trainedTargets({ trained }: EncodedRow): number {
  return trained.subarray(1).reduce((sum, flag) => sum + flag, 0);
}

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
