import { expect, it } from 'vitest';
import { CARDS } from '../../../src/bench/cards.ts';
import { kernelsTable } from '../../../src/bench/kernels-table.ts';
import { showCell } from '../../../src/bench/report.ts';
import { forecastCalls } from '../../../src/bench/step-calls.ts';

const ceilings = { work: 50e12, bytes: 500e9, matrix: undefined };
const rows = [
  { kernel: 'swiglu', calls: 28, work: 0, bytes: 1e9, seconds: 0.002 },
  { kernel: 'nf4_matmul', calls: 196, work: 2e12, bytes: 4e9, seconds: 0.05 },
  { kernel: 'new', calls: 1, work: 1e9, bytes: 1e6, seconds: 0.001 },
];
const card = CARDS.find(({ name }) => name === 'RX 7900 XTX')!;
const shown = (table: ReturnType<typeof kernelsTable>) =>
  table.cells.map((row) =>
    Object.fromEntries(row.map((cell, i) => [table.columns[i], showCell(cell, false)])),
  );

it('sets what was measured beside the forecast, the longest first', () => {
  const forecast = {
    ...{ card, date: '2026-11-30', seconds: 0.043, moving: 0.003 },
    kernels: new Map([
      ['swiglu', 0.0025],
      ['nf4_matmul', 0.04],
    ]),
    unknown: new Map([['nf4_matmul, other', 3]]),
  };
  const table = kernelsTable(rows, ceilings, forecast);
  expect(shown(table)).toMatchObject([
    { '': 'nf4_matmul', ms: '50.0', 'forecast ms': '40.0', '% of forecast': '125', 'GFLOP/s': '40,000' },
    { '': 'swiglu', ms: '2.00', 'forecast ms': '2.50', '% of forecast': '80', 'GB/s': '500' },
    { '': 'new', ms: '1.00', 'forecast ms': '', '% of forecast': '' },
  ]);
  expect(table.notes).toEqual([
    'Forecast of all kernels for an RX 7900 XTX: 43.0 ms, measured 53.0 ms; from what its compiler made of the kernels on 2026-11-30, the clock that its maker publishes (2.3 GHz) and 960 GB/s.',
    'By their bytes only, for want of figures: nf4_matmul, other.',
  ]);
  expect(new Set(table.cells.map((row) => row.length))).toEqual(new Set([table.columns.length]));
});

it('without times is sorted by work; of a card that is not known, without a forecast', () => {
  const { columns, cells, notes } = kernelsTable(
    rows.map((row) => ({ ...row, seconds: NaN })),
    { ...ceilings, matrix: 1e14 },
    undefined,
  );
  expect(cells.map(([kernel]) => kernel)).toEqual(['nf4_matmul', 'new', 'swiglu']);
  expect(columns.filter((name) => name.includes('forecast'))).toEqual([]);
  expect(new Set(cells.map((row) => row.length))).toEqual(new Set([columns.length]));
  expect(notes).toEqual([]);
});

it('a step is forecast call by call, what is not known of by its bytes', () => {
  const zero = { cycles: 0, multiplies: 0, fma: 0, matrix: 0, vector: 0 };
  const round = { ...zero, multiplies: 100, fma: 100 };
  const kernels = [{ label: 'product, a', occupancy: 8, way: { once: zero, round } }];
  const call = { kernel: 'product', work: 2e9, bytes: 960, groups: 96, threads: 32 };
  const step = forecastCalls(card, { [card.target]: { kernels } }, [
    { ...call, label: 'product, a' },
    { ...call, label: 'product, b', bytes: 9.6e6 },
    { ...call, kernel: 'copy', label: 'copy', work: 0, bytes: 9.6e8 },
  ]);
  // 10⁹ multiply-adds by two a clock of 32 lanes on 192 SIMDs, 10 µs of bytes, 1 ms of bytes.
  const product = 1e9 / (2 * 32 * 192 * 2.3e9);
  expect(step.kernels.get('product')).toBeCloseTo(product + 1e-5, 10);
  expect(step.kernels.get('copy')).toBeCloseTo(1e-3, 10);
  expect(step.moving).toBeCloseTo(1e-3 + 1e-5, 10);
  expect([...step.unknown]).toEqual([['product, b', 1]]);
});
