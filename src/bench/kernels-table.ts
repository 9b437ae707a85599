import type { Card } from './cards.ts';
import type { Ceilings } from './ceilings.ts';
import { type Cell, matrixCells, matrixColumn, rateCells } from './report.ts';
import type { StepForecast } from './step-calls.ts';

/** All calls of a kernel in a step. */
export interface KernelRow {
  kernel: string;
  calls: number;
  /** Floating-point operations, and bytes of all bindings. */
  work: number;
  bytes: number;
  /** NaN where nothing was measured. */
  seconds: number;
}

/** What a card is expected to take, from what its compiler made of the kernels on a date. */
export interface RowsForecast extends StepForecast {
  card: Card;
  date: string | undefined;
}

/** A step's kernels, the longest first, with the forecast beside what was measured. */
export function kernelsTable(
  rows: readonly KernelRow[],
  ceilings: Ceilings,
  forecast: RowsForecast | undefined,
): { columns: string[]; cells: Cell[][]; notes: string[] } {
  const total = rows.reduce((sum, { seconds }) => sum + (Number.isFinite(seconds) ? seconds : 0), 0);
  const sorted =
    total > 0 ? rows.toSorted((a, b) => b.seconds - a.seconds) : rows.toSorted((a, b) => b.work - a.work);
  return {
    columns: [
      ...['', 'calls', 'GFLOP', 'GB bound', 'ms', '% of time'],
      ...(forecast ? ['forecast ms', '% of forecast'] : []),
      ...['GFLOP/s', '% of f32 ceiling', ...matrixColumn(ceilings), 'GB/s', '% of copy'],
    ],
    cells: sorted.map(({ kernel, calls, work, bytes, seconds }) => [
      kernel,
      calls,
      work / 1e9,
      bytes / 1e9,
      { speed: 1000 * seconds },
      { speed: (100 * seconds) / total, digits: 1 },
      ...(forecast ? forecastCells(seconds, forecast.kernels.get(kernel)) : []),
      ...(work > 0 ? rateCells(work, seconds, ceilings.work) : ['', '']),
      ...matrixCells(work, seconds, ceilings, /_(matrix|packed) /.test(kernel)),
      { speed: bytes / seconds / 1e9 },
      { speed: (100 * bytes) / seconds / ceilings.bytes, digits: 0 },
    ]),
    notes: forecast ? forecastNotes(forecast, total) : [],
  };
}

const forecastCells = (seconds: number, expected: number | undefined): Cell[] =>
  expected === undefined
    ? ['', '']
    : [{ speed: 1000 * expected }, { speed: (100 * seconds) / expected, digits: 0 }];

function forecastNotes({ card, date, seconds, unknown }: RowsForecast, total: number): string[] {
  const ms = (value: number) => (1000 * value).toFixed(1);
  const measured = total > 0 ? `, measured ${ms(total)} ms` : '';
  return [
    `Forecast of all kernels for an ${card.name}: ${ms(seconds)} ms${measured}; from what its compiler made of the kernels${date === undefined ? '' : ` on ${date}`}, the clock that its maker publishes (${card.clock} GHz) and ${card.bandwidth} GB/s.`,
    ...(unknown.size > 0
      ? [`By their bytes only, for want of figures: ${[...unknown.keys()].join('; ')}.`]
      : []),
  ];
}
