import { counted, showCount, showShare } from '../formats/words.ts';
import { showColumns } from './columns.ts';
import type { LeftOut } from './left-out.ts';
import type { RowColumns } from './row-columns.ts';
import { quoted } from './row-fields.ts';
import type { ReadRow, RowFormat } from './row-formats.ts';

/** Maximum keys without effect that a note names. */
const MAX_NAMED = 20;

/** A skipped row. */
export interface SkippedRow {
  line: number;
  /** Its number, as of EncodedRow. */
  place: number;
  why: string;
  /** Tokens of the whole row, where nothing trained is left of it once it is truncated. */
  wholeLength?: number;
}

/** Counts over a file's rows, kept while they are read. */
export class RowsTally {
  /** Rows used, by format; a file has one. */
  readonly formats = new Map<RowFormat, number>();
  readonly skipped: SkippedRow[] = [];
  tokens = 0;
  /** Targets after the shift: trained tokens of index 1 and up. */
  trainedTokens = 0;
  /** Tokens of the longest row, after truncation. */
  longest = 0;
  /** Rows that were truncated. */
  cut = 0;
  /** Which columns of the file are read as what. */
  columns: RowColumns | undefined;
  /** Rows with the same tokens as an earlier row. */
  duplicates = 0;
  /** For each key without effect, the number of rows that have it. */
  readonly #unused = new Map<string, number>();
  readonly #alsoFits = new Map<RowFormat, number>();
  readonly #spelled = { rows: 0, times: 0 };
  /** The first row skipped because of what the chat template leaves out, and the number of such rows. */
  #firstLeftOut: SkippedRow | undefined;
  leftOut = 0;
  /** Rows whose turns the chat template prints only in part. */
  #inPart = 0;
  readonly #seen = new Set<number>();
  /** System prompts of the rows used; no more than two, which is one too many. */
  readonly #systems = new Set<string | undefined>();
  readonly #maxPositions: number;
  /** Rows longer than that. */
  #beyond = 0;

  /** `maxPositions`: positions that the model supports. */
  constructor(maxPositions = Infinity) {
    this.#maxPositions = maxPositions;
  }

  /** Counts what was found while reading a row, used or not. `spelled`: control tokens that its text spells out. */
  read({ alsoFits, unused }: ReadRow, spelled: number, { keys, inPart }: LeftOut): void {
    if (inPart) {
      this.#inPart++;
    }
    for (const key of [...unused, ...keys]) {
      this.#unused.set(key, (this.#unused.get(key) ?? 0) + 1);
    }
    for (const format of alsoFits) {
      this.#alsoFits.set(format, (this.#alsoFits.get(format) ?? 0) + 1);
    }
    if (spelled > 0) {
      this.#spelled.rows++;
    }
    this.#spelled.times += spelled;
  }

  /** Counts a skipped row; `leftOut`: because of what the chat template leaves out of it. */
  skip(row: SkippedRow, leftOut: boolean): void {
    this.skipped.push(row);
    if (!leftOut) {
      return;
    }
    this.#firstLeftOut ??= row;
    this.leftOut++;
  }

  /** Counts the system prompt of a used row; undefined for none. */
  prompted(system: string | undefined): void {
    if (this.#systems.size < 2) {
      this.#systems.add(system);
    }
  }

  /** The system prompt of all rows used; undefined if they differ, or have none. */
  get system(): string | undefined {
    const [first, ...others] = this.#systems;
    return others.length === 0 ? first : undefined;
  }

  /** Counts a used row. */
  take(format: RowFormat, ids: Uint32Array, trained: Uint8Array, targets: number, cut: boolean): void {
    this.formats.set(format, (this.formats.get(format) ?? 0) + 1);
    this.tokens += ids.length;
    this.trainedTokens += targets;
    this.longest = Math.max(this.longest, ids.length);
    if (cut) {
      this.cut++;
    }
    if (ids.length > this.#maxPositions) {
      this.#beyond++;
    }
    const key = rowHash(ids, trained);
    if (this.#seen.has(key)) {
      this.duplicates++;
    }
    this.#seen.add(key);
  }

  /** Number of rows used. */
  get rows(): number {
    return [...this.formats.values()].reduce((sum, n) => sum + n, 0);
  }

  get unused(): ReadonlyMap<string, number> {
    return this.#unused;
  }

  /** Notes on the rows of file `name` for the user, one sentence each. */
  notes(name: string): string[] {
    const [format = 'text'] = this.formats.keys();
    const notes: string[] = [];
    if (this.columns?.columns) {
      const how = this.columns.guessed
        ? ', guessed by their names; if that is wrong, say which is which'
        : '';
      notes.push(`${name}: columns read as ${showColumns(this.columns.columns)}${how}.`);
    }
    for (const [other, rows] of this.#alsoFits) {
      notes.push(
        `${name}: ${counted(rows, 'row')} could also be read as ${quoted(other)}; ${quoted(format)} was taken.`,
      );
    }
    if (this.#unused.size > 0) {
      const named = [...this.#unused].slice(0, MAX_NAMED);
      const keys = named.map(([key, rows]) => `${quoted(key).slice(1, -1)} (${counted(rows, 'row')})`);
      const more = this.#unused.size - named.length;
      if (more > 0) {
        keys.push(`and ${showCount(more)} more`);
      }
      const share = showShare(this.trainedTokens, this.tokens);
      notes.push(
        `${name}: read as ${quoted(format)}, ${share} of the tokens are trained; keys without effect: ${keys.join(', ')}.`,
      );
    }
    if (this.#firstLeftOut) {
      notes.push(
        `${name}: ${counted(this.leftOut, 'row')} ${this.leftOut === 1 ? 'is' : 'are'} skipped, since without what the chat template leaves out of ${this.leftOut === 1 ? 'it' : 'them'} the answers would teach something else (the first: ${this.#firstLeftOut.why}); take a chat template that prints it, or put it into a turn that this one prints.`,
      );
    }
    if (this.#inPart > 0) {
      notes.push(
        `${name}: of ${counted(this.#inPart, 'row')} the chat template prints a turn in part only, such as an answer without its thoughts (<think>…</think>), and that is what is trained.`,
      );
    }
    if (this.#beyond > 0) {
      notes.push(
        `${name}: ${counted(this.#beyond, 'row')} ${this.#beyond === 1 ? 'is' : 'are'} longer than the ${showCount(this.#maxPositions)} positions that the model was made for (max_position_embeddings), the longest of ${counted(this.longest, 'token')}; a max_seq_length of at most ${this.#maxPositions} cuts them there.`,
      );
    }
    const { rows, times } = this.#spelled;
    if (times > 1) {
      notes.push(
        `${name}: ${counted(rows, 'row')} ${rows === 1 ? 'spells' : 'spell'} out control tokens of the model, which stay ordinary text there; text that a chat template has already rendered belongs in rows of the form {"text"}.`,
      );
    }
    return notes;
  }
}

/** 53 bits of FNV-1a over tokens and mask; rows with equal hashes are counted as duplicates, nothing more. */
export function rowHash(ids: Uint32Array, trained: Uint8Array): number {
  let [a, b] = [0x811c9dc5, 0x01234567 ^ ids.length];
  for (let i = 0; i < ids.length; i++) {
    const value = 2 * ids[i]! + trained[i]!;
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul(b ^ (value + i), 0x85ebca6b);
    b ^= b >>> 15;
  }
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
}
