// Reference: K. Beyer et al., "On Synopses for Distinct-Value Estimation Under Multiset Operations" (SIGMOD 2007): the
// smallest hashes of a set are a uniform sample of it, and those of a union are among the parts' smallest.
import { HASH_BYTES, type RowHashes } from '../../text/row-hashes.ts';

/** Maximum hashes that are kept: 192 KiB. */
const MAX_HASHES = 2 ** 15;
/** Four characters of Base64 for three bytes. */
const MAX_TEXT = (4 * HASH_BYTES * MAX_HASHES) / 3;
const BASE64 = /^[A-Za-z0-9+/]*$/;

/**
 * The rows that an adapter and those it came from were trained on, by hash: all of them or, of more than 32,768, those
 * with the smallest hashes, which are a sample of all.
 */
export class TrainedRows {
  /** Ascending, each once. */
  readonly #hashes: readonly number[];
  readonly #known: ReadonlySet<number>;

  private constructor(hashes: readonly number[]) {
    this.#hashes = hashes;
    this.#known = new Set(hashes);
  }

  static of(rows: Iterable<{ readonly hashes?: RowHashes }>, earlier?: TrainedRows): TrainedRows {
    const all = new Set(earlier ? earlier.#hashes : []);
    for (const { hashes } of rows) {
      if (hashes) {
        all.add(hashes.content);
      }
    }
    return new TrainedRows([...Float64Array.from(all).toSorted().subarray(0, MAX_HASHES)]);
  }

  /** Reads `text`; undefined if it is not what it gives. */
  static parse(text: unknown): TrainedRows | undefined {
    if (!isTrainedRowsText(text)) {
      return undefined;
    }
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const hashes = Array.from({ length: bytes.length / HASH_BYTES }, (_, i) =>
      bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES).reduce((all: number, byte) => 256 * all + byte, 0),
    );
    return new TrainedRows(hashes);
  }

  /** As retune_state.json keeps it: the hashes in ascending order, six bytes each, the highest first, in Base64. */
  get text(): string {
    let letters = '';
    for (const hash of this.#hashes) {
      for (let i = HASH_BYTES - 1; i >= 0; i--) {
        letters += String.fromCharCode(Math.floor(hash / 256 ** i) % 256);
      }
    }
    return btoa(letters);
  }

  /** Whether the row is among them; undefined where it may be one of those that are not kept. */
  has(content: number): boolean | undefined {
    if (this.#known.has(content)) {
      return true;
    }
    return this.#hashes.length < MAX_HASHES || content < this.#hashes.at(-1)! ? false : undefined;
  }
}

/** Whether a value read from a file is a text of `TrainedRows`. */
export const isTrainedRowsText = (text: unknown): text is string =>
  typeof text === 'string' &&
  text.length <= MAX_TEXT &&
  // Six bytes are eight characters, without padding.
  text.length % 8 === 0 &&
  BASE64.test(text);
