const COLUMNS = 3;
/** Tracks of the grid that a wide form lies on: rows of one, two and three fields all fill it. */
export const TRACKS = 6;

/**
 * How many tracks each field spans, so that every row is full and none holds one field alone where there are others.
 * `widths`: how many of three columns each would like, 1 or 2.
 */
export function fieldSpans(widths: readonly number[]): number[] {
  const rows: number[][] = [];
  for (const width of widths) {
    const row = rows.at(-1);
    if (row && sum(row) + width <= COLUMNS) {
      row.push(width);
    } else {
      rows.push([width]);
    }
  }
  for (let i = rows.length - 1; i > 0; i--) {
    const [before, row] = [rows[i - 1]!, rows[i]!];
    if (row.length > 1 || before.length === 1) {
      continue;
    }
    if (before.length === COLUMNS) {
      row.unshift(before.pop()!);
    } else {
      // Two and one make three, for which a wide one is as wide as the others.
      rows.splice(i - 1, 2, [1, 1, 1]);
    }
  }
  return rows.flatMap((row) => row.map((width) => (TRACKS * width) / sum(row)));
}

const sum = (row: readonly number[]): number => row.reduce((all, width) => all + width, 0);
