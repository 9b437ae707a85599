/**
 * One column of the table of longest common subsequences, one bit per item of `a`: bit i is 0 if the common
 * subsequence with a[0..i] is one longer than with a[0..i-1]. Adding an item of `b` advances by a column, 32 rows
 * at a time. The recurrence is V ← (V + (V & M)) | (V & ~M), where M marks the positions of the item in `a`; words
 * without such a position change only while a carry passes through them.
 *
 * Reference: H. Hyyrö, "Bit-Parallel LCS-length Computation Revisited", AWOCA 2004.
 */
export class SubsequenceColumn {
  readonly bits: Uint32Array;
  /** For each item of `a`: the words that hold it, ascending, each followed by its bits in that word. */
  readonly #places = new Map<string, number[]>();

  constructor(a: readonly string[]) {
    this.bits = new Uint32Array(Math.ceil(a.length / 32)).fill(0xffffffff);
    for (const [i, item] of a.entries()) {
      const places = this.#places.get(item) ?? [];
      if (places.length === 0) {
        this.#places.set(item, places);
      }
      const word = i >>> 5;
      if (places.at(-2) !== word) {
        places.push(word, 0);
      }
      places[places.length - 1] = (places.at(-1)! | (1 << (i & 31))) >>> 0;
    }
  }

  add(item: string): void {
    const { bits } = this;
    const places = this.#places.get(item);
    if (!places) {
      return;
    }
    let carry = 0;
    let at = 0;
    const carryUntil = (end: number): void => {
      for (; carry === 1 && at < end; at++) {
        const sum = bits[at]! + 1;
        carry = sum > 0xffffffff ? 1 : 0;
        bits[at]! |= sum;
      }
    };
    for (let k = 0; k < places.length; k += 2) {
      const word = places[k]!;
      carryUntil(word);
      const old = bits[word]!;
      const matched = (old & places[k + 1]!) >>> 0;
      const sum = old + matched + carry;
      bits[word] = sum | (old & ~matched);
      carry = sum > 0xffffffff ? 1 : 0;
      at = word + 1;
    }
    carryUntil(bits.length);
  }

  /** Length of the common subsequence of `a` and everything added. */
  get length(): number {
    return this.bits.reduce((zeros, word) => zeros + 32 - ones(word), 0);
  }
}

/** Length of the longest common subsequence of two lists. */
export function commonSubsequence(a: readonly string[], b: readonly string[]): number {
  const column = new SubsequenceColumn(a);
  for (const item of b) {
    column.add(item);
  }
  return column.length;
}

function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
