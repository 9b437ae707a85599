// References: A. Broder, "On the resemblance and containment of documents" (SEQUENCES 1997): shingles and MinHash; P.
// Li, A. Owen, C.-H. Zhang, "One Permutation Hashing", arXiv:1208.1259, and A. Shrivastava, P. Li, "Densifying One
// Permutation Hashing via Rotation for Fast Near Neighbor Search" (ICML 2014): one hash for all bins; K. Lee et al.,
// "Deduplicating Training Data Makes Language Models Better", arXiv:2107.06499: five tokens, four fifths in common.

/** Tokens of a shingle. */
const SHINGLE = 5;
/** The share of their shingles that near-duplicates have in common, of all that either has (Jaccard). */
export const SIMILAR = 0.8;
/** Bins of a signature, and how many of them make a band: rows that agree in one are compared. */
const BINS = 64;
const BAND = 4;
const BIN_SHIFT = 26;
/** Shingles of a row with fewer of its own say little. */
const MIN_SHINGLES = 8;
/** Rows compared, and tokens that all their signatures may read: a few seconds' work. */
export const MAX_ROWS = 2 ** 17;
const MAX_TOKENS = 2 ** 25;
/** Counters of the rows in which a shingle occurs; several shingles share one. */
const COUNTERS_SHIFT = 12;

type Ids = ArrayLike<number>;

/** A row that is nearly the same as an earlier one, both by index. */
export interface NearDuplicate {
  readonly row: number;
  readonly like: number;
}

/**
 * Rows that have at least four fifths of their shingles in common with an earlier row. What many rows share, such as a
 * system prompt or a template's frame, does not count, nor do rows too short to tell; of two or three rows all is shared. Compares the first `MAX_ROWS`
 * rows, in time and memory bounded by their number; may miss a pair, and reports none that is not similar.
 */
export function nearDuplicates(rows: readonly Ids[]): NearDuplicate[] {
  const compared = rows.slice(0, MAX_ROWS);
  const counts = rowCounts(compared);
  const frequent = Math.min(Math.max(20, compared.length / 10), compared.length / 2);
  const own = (hash: number): boolean => counts[hash >>> COUNTERS_SHIFT]! <= frequent;
  const length = Math.max(4 * BINS, Math.floor(MAX_TOKENS / Math.max(1, compared.length)));
  const signatures = compared.map((ids) => signature(ids, length, own));
  const found = new Map<number, number>();
  for (let begin = 0; begin < BINS; begin += BAND) {
    const first = new Map<number, number>();
    for (const [row, signed] of signatures.entries()) {
      if (!signed || found.has(row)) {
        continue;
      }
      const key = bandKey(signed, begin);
      const like = first.get(key);
      if (like === undefined) {
        first.set(key, row);
      } else if (
        agreement(signed, signatures[like]!) >= SIMILAR - 0.2 &&
        resemblance(compared[row]!, compared[like]!, own) >= SIMILAR
      ) {
        found.set(row, like);
      }
    }
  }
  return [...found].map(([row, like]) => ({ row, like })).toSorted((a, b) => a.row - b.row);
}

/** For every counter, the number of rows with a shingle of it. */
function rowCounts(rows: readonly Ids[]): Uint32Array {
  const counts = new Uint32Array(2 ** (32 - COUNTERS_SHIFT));
  const lastRow = new Uint32Array(counts.length);
  for (const [row, ids] of rows.entries()) {
    for (let i = 0; i + SHINGLE <= ids.length; i++) {
      const at = shingle(ids, i) >>> COUNTERS_SHIFT;
      if (lastRow[at] !== row + 1) {
        lastRow[at] = row + 1;
        counts[at]!++;
      }
    }
  }
  return counts;
}

/** The smallest hash of every bin, over the first `length` tokens; undefined for a row with too few shingles. */
function signature(ids: Ids, length: number, own: (hash: number) => boolean): Uint32Array | undefined {
  const least = new Uint32Array(BINS).fill(EMPTY);
  let shingles = 0;
  const end = Math.min(ids.length, length) - SHINGLE;
  for (let i = 0; i <= end; i++) {
    const hash = shingle(ids, i);
    if (own(hash)) {
      const bin = hash >>> BIN_SHIFT;
      least[bin] = Math.min(least[bin]!, hash & (2 ** BIN_SHIFT - 1));
      shingles++;
    }
  }
  return shingles < MIN_SHINGLES ? undefined : densified(least);
}

const EMPTY = 2 ** 32 - 1;

/** An empty bin takes the value of the next that is not, marked by their distance. */
function densified(least: Uint32Array): Uint32Array {
  return least.map((value, bin) => {
    let distance = 0;
    while (value === EMPTY) {
      distance++;
      value = least[(bin + distance) % BINS]!;
    }
    return value + distance * 2 ** BIN_SHIFT;
  });
}

function bandKey(signed: Uint32Array, begin: number): number {
  let key = 0x811c9dc5;
  for (let i = begin; i < begin + BAND; i++) {
    key = mixed(key, signed[i]!);
  }
  return key;
}

const agreement = (a: Uint32Array, b: Uint32Array): number =>
  a.reduce((same, value, bin) => same + (value === b[bin] ? 1 : 0), 0) / BINS;

/** The shingles that two rows have in common, as a share of all that either has. */
function resemblance(a: Ids, b: Ids, own: (hash: number) => boolean): number {
  const [ofA, ofB] = [a, b].map((ids) => {
    const all = new Set<number>();
    for (let i = 0; i + SHINGLE <= ids.length; i++) {
      const hash = shingle(ids, i);
      if (own(hash)) {
        all.add(hash);
      }
    }
    return all;
  }) as [Set<number>, Set<number>];
  let common = 0;
  for (const hash of ofA) {
    common += ofB.has(hash) ? 1 : 0;
  }
  return common / (ofA.size + ofB.size - common);
}

/** 32 bits of the tokens from `begin` on. */
function shingle(ids: Ids, begin: number): number {
  let hash = 0;
  for (let i = begin; i < begin + SHINGLE; i++) {
    hash = mixed(hash, ids[i]!);
  }
  // MurmurHash3's last step: every bit depends on every token.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** One step of MurmurHash3 (32 bits). */
function mixed(hash: number, value: number): number {
  const product = Math.imul(value, 0xcc9e2d51);
  const rotated = Math.imul((product << 15) | (product >>> 17), 0x1b873593);
  const sum = hash ^ rotated;
  return (Math.imul((sum << 13) | (sum >>> 19), 5) + 0xe6546b64) >>> 0;
}
