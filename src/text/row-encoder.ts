import { UserError } from '../formats/user-error.ts';
import type { RowsSource } from './columns.ts';
import { SampleEncoder } from './encode-sample.ts';
import { inLine } from './in-line.ts';
import type { Moment } from './moment.ts';
import type { RawRow } from './read-rows.ts';
import { RowColumns } from './row-columns.ts';
import type { JsonMap } from './row-fields.ts';
import { readRow, type RowFormat, systemPromptOf } from './row-formats.ts';
import type { RowHasher, RowHashes } from './row-hashes.ts';
import type { RowsTally } from './rows-tally.ts';
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
  /** Tokens of the whole row, where it was truncated. */
  wholeLength?: number;
  /** What it says, by hash; absent where it is of no file, or nobody asked. */
  hashes?: RowHashes;
}

/** A row from the reader: encoded, or skipped with the reason. */
export interface RowOutcome {
  line: number;
  /** Its number, as of EncodedRow. */
  place: number;
  format: RowFormat;
  chat: boolean;
  row: EncodedRow | undefined;
  /** The same, also of a row that is skipped. */
  encoded: EncodedRow;
  /** Its tokens before it is cut. */
  length: number;
  /** Set if `row` is undefined. */
  why: string;
  bytesRead: number;
}

/** Encodes the rows of a dataset, of which the first decides columns and format, and counts them in `tally`. */
export class RowEncoder {
  readonly columns: RowColumns;
  readonly #source: RowsSource;
  readonly #encoder: SampleEncoder;
  readonly #hasher: RowHasher | undefined;
  readonly #maxLength: number;
  readonly #tally: RowsTally;
  #first: RowFormat | undefined;

  constructor(
    source: RowsSource,
    tokenizer: TextTokenizer,
    { maxLength, moment, hasher }: { maxLength: number; moment?: Moment | undefined; hasher?: RowHasher },
    tally: RowsTally,
  ) {
    this.#source = source;
    this.#encoder = new SampleEncoder(tokenizer, moment);
    this.#hasher = hasher;
    this.#maxLength = maxLength;
    this.#tally = tally;
    this.columns = tally.columns = new RowColumns(source.name, source.columns);
  }

  /** Throws UserError naming file and line. */
  encode(raw: RawRow<JsonMap>): RowOutcome {
    const { name, changes } = this.#source;
    this.columns.decide(raw);
    const how = raw.edited ? `, as ${changes?.from ? `${changes.from} has it` : 'edited'}` : '';
    return inLine(`${name}, ${this.columns.unit} ${raw.line}${how}`, () => this.#encode(raw));
  }

  #encode(raw: RawRow<JsonMap>): RowOutcome {
    const { line, place, bytesRead } = raw;
    const tally = this.#tally;
    const maxLength = this.#maxLength;
    const { row, names, unused } = this.columns.read(raw);
    const inRow = readRow(row, names);
    const read = { ...inRow, unused: [...inRow.unused, ...unused] };
    const { sample, format, contextOnly } = read;
    this.#first ??= format;
    if (format !== this.#first) {
      throw new UserError(
        `found a row of the form "${format}" after rows of the form "${this.#first}"; keep to one`,
      );
    }
    const spelledBefore = this.#encoder.spelledOut;
    const { ids, trained, leftOut } = this.#encoder.encode(sample);
    tally.read(read, this.#encoder.spelledOut - spelledBefore, leftOut);
    const cut = ids.length > maxLength;
    const encoded: EncodedRow = {
      ids: Uint32Array.from(cut ? ids.slice(0, maxLength) : ids),
      trained: Uint8Array.from(cut ? trained.slice(0, maxLength) : trained),
      line,
      place,
      cut,
      ...(cut && { wholeLength: ids.length }),
      ...(this.#hasher && { hashes: this.#hasher.hash(sample) }),
    };
    const { needed } = leftOut;
    const targets = contextOnly || needed !== undefined ? 0 : trainedTargets(encoded);
    const shared = {
      line,
      place,
      format,
      chat: sample.kind === 'chat',
      bytesRead,
      encoded,
      length: ids.length,
    };
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
    const short = !contextOnly && needed === undefined && cut;
    const skipped = { line, place, why, ...(short && { wholeLength: ids.length }) };
    tally.skip(skipped, !contextOnly && needed !== undefined);
    return { ...shared, row: undefined, why };
  }
}

/** Targets of a row after the shift: trained tokens of index 1 and up. */
export function trainedTargets({ trained }: EncodedRow): number {
  return trained.subarray(1).reduce((sum, flag) => sum + flag, 0);
}
