// Reference: M. M. Krell et al., "Efficient Sequence Packing without Cross-contamination", arXiv:2107.02027.
import type { EncodedRow } from './rows.ts';

/** A row with its index in the dataset. */
export interface PlacedRow {
  row: EncodedRow;
  index: number;
}

/** Several rows concatenated for one forward and backward pass; attention stays within each row. T = total tokens. */
export interface Pass {
  /** [T] */
  ids: Uint32Array;
  /** [T], from 0 in every row. */
  positions: Uint32Array;
  /** [T]: first and end (exclusive) index of the token's row. */
  docBegin: Uint32Array;
  docEnd: Uint32Array;
  /** [T]: dataset index of the token's row. */
  rowOf: Uint32Array;
  /** The predictions: the output at token `index` should be `label`, the next id. */
  targets: { index: Uint32Array; label: Uint32Array; rowOf: Uint32Array };
}

/**
 * Packs the rows of a window into passes of at most `capacity` tokens, first fit: each row goes into the first pass
 * with space. The loss is a sum over targets, so the passes give the same result as one pass per row. Throws Error
 * if a row is longer than `capacity`.
 */
export function packWindow(rows: readonly PlacedRow[], capacity: number): Pass[] {
  const bins: { rows: PlacedRow[]; room: number }[] = [];
  for (const placed of rows) {
    const length = placed.row.ids.length;
    if (length > capacity) {
      throw new RangeError(`row ${placed.index} has ${length} tokens, a pass holds ${capacity}`);
    }
    let bin = bins.find(({ room }) => room >= length);
    if (!bin) {
      bins.push((bin = { rows: [], room: capacity }));
    }
    bin.rows.push(placed);
    bin.room -= length;
  }
  return bins.map((bin) => layOut(bin.rows));
}

function layOut(rows: readonly PlacedRow[]): Pass {
  const tokens = rows.reduce((sum, { row }) => sum + row.ids.length, 0);
  const pass = {
    ids: new Uint32Array(tokens),
    positions: new Uint32Array(tokens),
    docBegin: new Uint32Array(tokens),
    docEnd: new Uint32Array(tokens),
    rowOf: new Uint32Array(tokens),
  };
  const targets: [index: number, label: number, row: number][] = [];
  let begin = 0;
  for (const { row, index } of rows) {
    const end = begin + row.ids.length;
    pass.ids.set(row.ids, begin);
    pass.docBegin.fill(begin, begin, end);
    pass.docEnd.fill(end, begin, end);
    pass.rowOf.fill(index, begin, end);
    for (let i = 0; i < row.ids.length; i++) {
      pass.positions[begin + i] = i;
      if (i > 0 && row.trained[i]) {
        targets.push([begin + i - 1, row.ids[i]!, index]);
      }
    }
    begin = end;
  }
  return {
    ...pass,
    targets: {
      index: Uint32Array.from(targets, ([at]) => at),
      label: Uint32Array.from(targets, ([, label]) => label),
      rowOf: Uint32Array.from(targets, ([, , row]) => row),
    },
  };
}
