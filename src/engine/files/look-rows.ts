import { jsonLines } from '../../formats/json-line.ts';
import type { RowChanges } from '../../formats/row-changes.ts';
import { sha256 } from '../../formats/sha256.ts';
import { tokenRows } from '../../handover/token-rows.ts';
import { uncheckedPieces } from '../../text/changed-pieces.ts';
import type { RowsSource } from '../../text/columns.ts';
import { rowsHolding } from '../../text/find-rows.ts';
import { wallClock } from '../../text/moment.ts';
import { orderedRow } from '../../text/read-rows.ts';
import { RowEncoder } from '../../text/row-encoder.ts';
import { rowLines } from '../../text/row-lines.ts';
import { encodeRows, renderRow } from '../../text/rows.ts';
import { surveyedRow, surveyOf } from '../../text/rows-survey.ts';
import { RowsTally } from '../../text/rows-tally.ts';
import type { ChosenFile, ChosenFolder } from '../protocol/protocol.ts';
import type { FoundRows, RowsSurvey, ShownRow } from '../protocol/rows.ts';
import { type Following, watchedSource } from '../watch.ts';
import { sourceOf } from './files.ts';
import { tokenizerOf } from './inspect.ts';

/** Characters of a row that are shown, and of one that can be edited. */
const MAX_SHOWN = 20_000;
const MAX_EDITED = 2 ** 18;
/** Rows, and bytes of an export, between two messages of progress or pieces of a blob. */
const ROWS_APART = 256;
const PIECE_CHARACTERS = 2 ** 22;

/** The file with what of the changes over it counts: `leftOut` none of the rows, or those. */
function changedSource(rows: ChosenFile, { signal }: Following, leftOut: readonly number[]): RowsSource {
  const { changes } = rows;
  const counting: RowChanges | undefined = changes && { ...changes, leftOut };
  return watchedSource(sourceOf({ ...rows, changes: counting }), { signal });
}

/** Hears of rows, and tells of some of them; ends where it is canceled. */
function telling({ size }: RowsSource, { onProgress, signal }: Following): (bytesRead: number) => void {
  let rows = 0;
  return (bytesRead) => {
    signal?.throwIfAborted();
    if (rows++ % ROWS_APART === 0) {
      onProgress?.(bytesRead, size);
    }
  };
}

/** Throws UserError naming file and line. */
export async function surveyRows(
  base: ChosenFolder,
  rows: ChosenFile,
  maxLength: number,
  following: Following = {},
): Promise<{ survey: RowsSurvey; sha256: string }> {
  const tokenizer = await tokenizerOf(base);
  const source = changedSource(rows, following, []);
  const hash = await sha256(source);
  const surveyed = await surveyOf(source, tokenizer, { maxLength }, telling(source, following)).catch(
    (error: unknown) => {
      // A row may be left out because it cannot be read.
      const { leftOut = [] } = rows.changes ?? {};
      if (leftOut.length === 0) {
        throw error;
      }
      const without = changedSource(rows, following, leftOut);
      return surveyOf(without, tokenizer, { maxLength }, telling(source, following));
    },
  );
  return { survey: surveyed, sha256: hash };
}

/** Throws UserError naming file and line. */
export async function showRows(
  base: ChosenFolder,
  rows: ChosenFile,
  maxLength: number,
  places: readonly number[],
  following: Following = {},
): Promise<ShownRow[]> {
  const tokenizer = await tokenizerOf(base);
  const source = changedSource(rows, following, []);
  const encoder = new RowEncoder(source, tokenizer, { maxLength, moment: wallClock() }, new RowsTally());
  const shown: ShownRow[] = [];
  const wanted = new Set(places);
  const skipped = new Set(rows.changes?.leftOut);
  let isFirst = true;
  for await (const piece of uncheckedPieces(source)) {
    const isWanted = wanted.has(piece.place);
    if (!isWanted && (!isFirst || skipped.has(piece.place))) {
      continue;
    }
    const raw = orderedRow(source.name, piece);
    if (!raw) {
      continue;
    }
    // The first row says how all of them are read.
    const outcome = encoder.encode(raw);
    isFirst = false;
    if (!isWanted) {
      continue;
    }
    const pieces = [];
    let left = MAX_SHOWN;
    let hidden = 0;
    for (const { text: whole, trained } of renderRow(tokenizer, outcome.encoded)) {
      const part = whole.slice(0, left);
      left -= part.length;
      hidden += whole.length - part.length;
      pieces.push(...(part === '' ? [] : [{ text: part, trained }]));
    }
    const json = jsonLines(raw.row);
    shown.push({
      ...surveyedRow(outcome),
      json: json.length > MAX_EDITED ? undefined : json,
      pieces,
      hidden,
      why: outcome.why,
    });
    wanted.delete(piece.place);
    if (wanted.size === 0) {
      break;
    }
  }
  return shown;
}

/** Throws UserError naming file and line. */
export function findRows(rows: ChosenFile, wanted: string, following: Following = {}): Promise<FoundRows> {
  const source = changedSource(rows, following, []);
  return rowsHolding(source, wanted, telling(source, following));
}

/** The rows as they are trained, as JSONL. Throws UserError naming file and line. */
export async function exportRows(rows: ChosenFile, following: Following = {}): Promise<Blob> {
  const source = changedSource(rows, following, rows.changes?.leftOut ?? []);
  const tell = telling(source, following);
  const parts: Blob[] = [];
  let part = '';
  for await (const { json, bytesRead } of rowLines(source)) {
    part += `${json}\n`;
    if (part.length >= PIECE_CHARACTERS) {
      // A blob may lie on the disk, where a text lies in memory.
      parts.push(new Blob([part]));
      part = '';
    }
    tell(bytesRead);
  }
  return new Blob([...parts, part], { type: 'application/jsonl' });
}

/** The same as token ids and labels, in Parquet. Throws UserError naming file and line. */
export async function exportTokens(
  base: ChosenFolder,
  rows: ChosenFile,
  maxLength: number,
  following: Following = {},
): Promise<Blob> {
  const source = changedSource(rows, following, rows.changes?.leftOut ?? []);
  const tell = telling(source, following);
  const encoded = await encodeRows(source, await tokenizerOf(base), {
    maxLength,
    onProgress: ({ bytesRead }) => tell(bytesRead),
  });
  return new Blob(tokenRows(encoded.rows), { type: 'application/vnd.apache.parquet' });
}
