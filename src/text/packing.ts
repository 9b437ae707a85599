import type { EncodedRow } from './rows.ts';

/** A row with its place in the dataset. */
export interface PlacedRow {
  row: EncodedRow;
  index: number;
}

/** Several rows laid end to end for one forward and backward pass; attention stays within each row. */
export interface Pass {
  /** [tokens] */
  ids: Uint32Array;
  /** [tokens], from 0 in every row. */
  positions: Uint32Array;
  /** [tokens] Index of the first token of the token's row, and of the one after its last. */
  docBegin: Uint32Array;
  docEnd: Uint32Array;
  /** [tokens] Dataset index of the token's row. */
  rowOf: Uint32Array;
  /** What is predicted: the output at token `index` should be `label`, the id that follows. */
  targets: { index: Uint32Array; label: Uint32Array; rowOf: Uint32Array };
}

/**
 * Lays the rows of a window into passes of at most `capacity` tokens, first fit: each row goes into the first pass
 * that has room. The loss is a sum over targets, so the passes give the same result as one pass a row.
 */
export function packWindow(rows: readonly PlacedRow[], capacity: number): Pass[] {
  const bins: { rows: PlacedRow[]; room: number }[] = [];
  for (const placed of rows) {
    const length = placed.row.ids.length;
    if (length > capacity) {
      throw new RangeError(`row ${placed.index} has ${length} tokens, a pass holds ${capacity}`);
    }
    let bin = bins.find(({ room }) => room >= length);
    if (!bin) bins.push((bin = { rows: [], room: capacity }));
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
      if (i > 0 && row.trained[i]) targets.push([begin + i - 1, row.ids[i]!, index]);
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
