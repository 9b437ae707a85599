/** The share of the rows to hold out that page and command line suggest where there are none to evaluate on. */
export const SUGGESTED_SHARE = 0.05;
/** With fewer, one row would be more than that share, and say little. */
const MIN_ROWS = Math.round(1 / SUGGESTED_SHARE);

/** How many of so many rows that share is, before duplicates are counted; 0 if they are too few. */
export const suggestedRows = (rows: number): number =>
  rows < MIN_ROWS ? 0 : Math.ceil(SUGGESTED_SHARE * rows);
