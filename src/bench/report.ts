import type { Timing } from './measure.ts';

/** A cell: text, a number that is exact, or a speed, which is left out where it would mislead. */
export type Cell = string | number | { speed: number; digits?: number };

/** One table of the report. */
export interface Section {
  name: string;
  title: string;
  columns: string[];
  rows: Cell[][];
  notes: string[];
}

/** What a benchmark found. */
export interface Report {
  /** Of the device and its driver, of the program and of when it ran. */
  facts: Record<string, string | number>;
  /** True where speeds were left out: the device computes on the CPU. */
  countsOnly: boolean;
  sections: Section[];
  /** What could not be measured, and why. */
  notes: string[];
}

/** What stands in a table, where `countsOnly` for speeds a dash. */
export function showCell(cell: Cell, countsOnly: boolean): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return cell.toLocaleString('en-US', { maximumFractionDigits: 3 });
  if (countsOnly || !Number.isFinite(cell.speed)) return '–';
  const digits = cell.digits ?? (Math.abs(cell.speed) < 10 ? 2 : Math.abs(cell.speed) < 100 ? 1 : 0);
  return cell.speed.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The cells of a section as text, its columns' names first. */
export const showSection = ({ columns, rows }: Section, countsOnly: boolean): string[][] => [
  columns,
  ...rows.map((row) => row.map((cell) => showCell(cell, countsOnly))),
];

/** The report for machines: speeds as plain numbers, null where they are left out. */
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
      rows: rows.map((row) => Object.fromEntries(row.map((cell, i) => [columns[i], plain(cell)]))),
    })),
  };
}

/** Operations a second in units of 10⁹, and their share of a ceiling in percent. */
export const rateCells = (work: number, seconds: number, ceiling: number): Cell[] => [
  { speed: work / seconds / 1e9 },
  { speed: (100 * work) / seconds / ceiling, digits: 0 },
];

/** Share of the subgroup matrices' ceiling in percent; nothing for work that is not done there. */
export const matrixCells = (
  work: number,
  seconds: number,
  { matrix }: { matrix: number | undefined },
  onUnits: boolean,
): Cell[] => {
  if (matrix === undefined) return [];
  return [onUnits ? { speed: (100 * work) / seconds / matrix, digits: 0 } : ''];
};

/** The column of those shares, where the device has subgroup matrices. */
export const matrixColumn = ({ matrix }: { matrix: number | undefined }): string[] =>
  matrix === undefined ? [] : ['% of matrix ceiling'];

/** Milliseconds of a timing, and how far its rounds lie apart in percent. */
export const timeCells = ({ seconds, fastest, slowest }: Timing): Cell[] => [
  { speed: 1000 * seconds },
  { speed: (100 * (slowest - fastest)) / seconds, digits: 0 },
];
