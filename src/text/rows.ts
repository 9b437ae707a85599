import type { ByteSource } from '../formats/byte-source.ts';
import { UserError } from '../formats/user-error.ts';
import { SampleEncoder } from './encode-sample.ts';
import { readRows } from './read-rows.ts';
import { formatOf, readSample, type RowFormat } from './row-formats.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** A dataset row as the model sees it. */
export interface EncodedRow {
  /** Token ids, at most maxLength. */
  ids: Uint32Array;
  /** 1 where the token is a trained target. (The first token never is one: nothing predicts it.) */
  trained: Uint8Array;
  /** Line of the file, from 1. */
  line: number;
  /** The row was longer than maxLength and kept its start. */
  cut: boolean;
}

export interface EncodedRows {
  rows: EncodedRow[];
  format: RowFormat;
  /** The rows went through the chat template; else they are text as it stands, or string prompts and completions. */
  chat: boolean;
  /** Rows left out because nothing in them is trained. */
  skipped: { line: number; why: string }[];
  stats: {
    tokens: number;
    /** Targets after the shift, those of index 1 and up. */
    trainedTokens: number;
    /** Tokens of the longest row. */
    longest: number;
    /** Rows that were cut. */
    cut: number;
  };
}

/** What rows are for. */
export type RowsUse = 'train' | 'evaluate';

export interface EncodeRowsOptions {
  /** Tokens a row may have, `max_seq_length` of the recipe. */
  maxLength: number;
  /** What messages say that the rows are for. */
  use?: RowsUse;
  onProgress?: (progress: { rows: number; bytesRead: number; bytesTotal: number }) => void;
}

/**
 * Reads and encodes a dataset. Throws UserError naming file and line for anything that is not a row of the file's
 * one format, and where no row has a trained token.
 */
export async function encodeRows(
  source: ByteSource,
  tokenizer: TextTokenizer,
  { maxLength, use = 'train', onProgress }: EncodeRowsOptions,
): Promise<EncodedRows> {
  const encoder = new SampleEncoder(tokenizer);
  const rows: EncodedRow[] = [];
  const skipped: EncodedRows['skipped'] = [];
  const stats = { tokens: 0, trainedTokens: 0, longest: 0, cut: 0 };
  let format: RowFormat | undefined;
  let chat = false;
  for await (const { row, line, bytesRead } of readRows(source)) {
    const { ids, trained } = inLine(source.name, line, () => {
      const own = formatOf(row);
      format ??= own;
      if (own !== format) {
        throw new UserError(
          `found a row of the form "${own}" after rows of the form "${format}"; keep to one`,
        );
      }
      const sample = readSample(row, own);
      chat = sample.kind === 'chat';
      return encoder.encode(sample);
    });
    const cut = ids.length > maxLength;
    const encoded = {
      ids: Uint32Array.from(cut ? ids.slice(0, maxLength) : ids),
      trained: Uint8Array.from(cut ? trained.slice(0, maxLength) : trained),
      line,
      cut,
    };
    const targets = trainedTargets(encoded);
    if (targets === 0) {
      skipped.push({ line, why: cut ? `no trained token within ${maxLength} tokens` : 'no trained token' });
    } else {
      rows.push(encoded);
      stats.tokens += encoded.ids.length;
      stats.trainedTokens += targets;
      stats.longest = Math.max(stats.longest, encoded.ids.length);
      stats.cut += cut ? 1 : 0;
    }
    onProgress?.({ rows: rows.length, bytesRead, bytesTotal: source.size });
  }
  if (format === undefined) {
    throw new UserError(`${source.name}: there are no rows in it; write one JSON object per line.`);
  }
  if (rows.length === 0) {
    const { line, why } = skipped[0]!;
    throw new UserError(
      `${source.name}: nothing to ${use} on, since none of its ${skipped.length} rows has a trained token (line ${line}: ${why}); add answers, or raise max_seq_length.`,
    );
  }
  return { rows, format, chat, skipped, stats };
}

/** Targets of a row after the shift: trained tokens of index 1 and up. */
export function trainedTargets({ trained }: EncodedRow): number {
  return trained.subarray(1).reduce((sum, flag) => sum + flag, 0);
}

/** A row's text in pieces, trained or not, for a preview. */
export function renderRow(tokenizer: TextTokenizer, row: EncodedRow): { text: string; trained: boolean }[] {
  const pieces: { text: string; trained: boolean }[] = [];
  const { ids, trained } = row;
  for (let begin = 0, end; begin < ids.length; begin = end) {
    for (end = begin + 1; end < ids.length && trained[end] === trained[begin];) end++;
    pieces.push({ text: tokenizer.decode(ids.subarray(begin, end)), trained: trained[begin] === 1 });
  }
  return pieces;
}

function inLine<T>(name: string, line: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${name}, line ${line}: ${error.message}.`);
  }
}
