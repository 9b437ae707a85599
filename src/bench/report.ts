import type { Timing } from './measure.ts';

/** A cell: text, an exact number, or a speed, which is omitted where it would mislead. */
export type Cell = string | number | { speed: number; digits?: number };

/** One table of the report. */
export interface ReportSection {
  name: string;
  title: string;
  columns: string[];
  rows: Cell[][];
  notes: string[];
}

/** The results of a benchmark. */
export interface Report {
  /** Facts about the device and its driver, the program, and the time of the run. */
  facts: Record<string, string | number>;
  /** Whether speeds were omitted because the device computes on the CPU. */
  countsOnly: boolean;
  sections: ReportSection[];
  /** What could not be measured, and why. */
  notes: string[];
}

/** The text of a cell; with `countsOnly`, a dash for speeds. */
export function showCell(cell: Cell, countsOnly: boolean): string {
  if (typeof cell === 'string') {
    return cell;
  }
  if (typeof cell === 'number') {
    return cell.toLocaleString('en-US', { maximumFractionDigits: 3 });
  }
  if (countsOnly || !Number.isFinite(cell.speed)) {
    return '–';
  }
  const digits = cell.digits ?? (Math.abs(cell.speed) < 10 ? 2 : Math.abs(cell.speed) < 100 ? 1 : 0);
  return cell.speed.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The cells of a section as text, preceded by the column names. */
export const showSection = ({ columns, rows }: ReportSection, countsOnly: boolean): string[][] => [
  columns,
  ...rows.map((row) => row.map((cell) => showCell(cell, countsOnly))),
];

/** The report for machines: speeds as plain numbers, null if omitted. */
export function reportJson({ facts, countsOnly, sections, notes }: Report): object {
  const plain = (cell: Cell) => (typeof cell === 'object' ? (countsOnly ? null : cell.speed) : cell);
  return {
    facts,
    counts_only: countsOnly,
    notes,
    sections: sections.map(({ name, title, columns, rows, ...section }) => ({
      name,
      title,
      notes: section.notes,
      count: rows.length,
      rows: rows.map((row) => Object.fromEntries(row.map((cell, i) => [columns[i], plain(cell)]))),
    })),
  };
}

/** Operations per second in units of 10⁹, and their share of a ceiling in percent. */
export const rateCells = (work: number, seconds: number, ceiling: number): Cell[] => [
  { speed: work / seconds / 1e9 },
  { speed: (100 * work) / seconds / ceiling, digits: 0 },
];

/** Share of the subgroup matrices' ceiling in percent; empty for work that does not use them. */
export const matrixCells = (
  work: number,
  seconds: number,
  { matrix }: { matrix: number | undefined },
  onUnits: boolean,
): Cell[] => {
  if (matrix === undefined) {
    return [];
  }
  return [onUnits ? { speed: (100 * work) / seconds / matrix, digits: 0 } : ''];
};

/** The column of those shares, if the device has subgroup matrices. */
export const matrixColumn = ({ matrix }: { matrix: number | undefined }): string[] =>
  matrix === undefined ? [] : ['% of matrix ceiling'];

/** Milliseconds of a timing, and the spread of its rounds in percent. */
export const timeCells = ({ seconds, fastest, slowest }: Timing): Cell[] => [
  { speed: 1000 * seconds },
  { speed: (100 * (slowest - fastest)) / seconds, digits: 0 },
];
