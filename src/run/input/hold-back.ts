import { UserError } from '../../formats/user-error.ts';
import { counted } from '../../formats/words.ts';
import type { EncodedRow } from '../../text/rows.ts';
import { randperm } from '../../train/sampler.ts';

/** How rows were held back from the training data, as recorded in the run's plan. */
export interface HeldBack {
  /** A fraction below 1, or a number of rows. */
  readonly size: number;
  readonly seed: number;
  /** Number of rows held back, and of all rows. */
  readonly rows: number;
  readonly of: number;
}

/**
 * Holds back rows for evaluation, at random by the seed; both parts keep the file's order. Rows with the same
 * tokens stay together, so that no evaluated row is also trained on. A fraction is rounded up, as in scikit-learn
 * and datasets. Throws UserError if one part would be empty.
 */
export function holdBack(
  rows: readonly EncodedRow[],
  { size, seed }: Pick<HeldBack, 'size' | 'seed'>,
  file: string,
): { train: EncodedRow[]; held: EncodedRow[] } {
  const wanted = size < 1 ? Math.ceil(size * rows.length) : size;
  if (wanted >= rows.length) {
    throw new UserError(
      `${file}: training.val_size is ${size}, which would hold back ${wanted} of ${counted(rows.length, 'row')} and leave none to train on; lower it.`,
    );
  }
  const groups = sameTokens(rows);
  const held = new Set<EncodedRow>();
  for (const index of randperm(groups.length, seed)) {
    const group = groups[index]!;
    if (held.size + group.length <= wanted) {
      for (const row of group) {
        held.add(row);
      }
    }
  }
  if (held.size === 0) {
    throw new UserError(
      `${file}: training.val_size is ${size}, but every row has more than ${wanted - 1} duplicates, which are held back together; raise it, or remove duplicates.`,
    );
  }
  return { train: rows.filter((row) => !held.has(row)), held: rows.filter((row) => held.has(row)) };
}

/** The rows grouped by their tokens. */
function sameTokens(rows: readonly EncodedRow[]): EncodedRow[][] {
  const byHash = new Map<number, EncodedRow[][]>();
  const all: EncodedRow[][] = [];
  for (const row of rows) {
    const hash = hashOf(row.ids);
    const bucket = byHash.get(hash) ?? [];
    byHash.set(hash, bucket);
    const group = bucket.find(([first]) => equal(first!.ids, row.ids));
    if (group) {
      group.push(row);
    } else {
      const fresh = [row];
      bucket.push(fresh);
      all.push(fresh);
    }
  }
  return all;
}

/** FNV-1a over whole ids. */
function hashOf(ids: Uint32Array): number {
  let hash = 0x811c9dc5;
  for (const id of ids) {
    hash = Math.imul(hash ^ id, 0x01000193);
  }
  return hash;
}

const equal = (a: Uint32Array, b: Uint32Array): boolean =>
  a.length === b.length && a.every((id, i) => id === b[i]);
