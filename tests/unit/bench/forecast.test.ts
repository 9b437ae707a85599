import { describe, expect, it } from 'vitest';
import { globals } from 'webgpu';
import { type Card, CARDS } from '../../../src/bench/cards.ts';
import { keptCompiled, parseCompiled, shippedCompiled } from '../../../src/bench/compiled.ts';
import { type CompiledKernel, forecastCall, pathClocks } from '../../../src/bench/forecast.ts';
import { forecastModel } from '../../../src/bench/forecast-steps.ts';
import { modelPipelines } from '../../../src/bench/pipelines.ts';
import { workgroupThreads } from '../../../src/bench/workgroup-threads.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';

Object.assign(globalThis, globals);

const none = { fma: 0, matrix: 0, vector: 0, lds: 0, global: 0, spill: 0, barrier: 0, wait: 0, scalar: 0 };
/** Ten SIMDs in units of two, at 1 GHz, with 100 GB/s. */
const card: Card = {
  ...{ name: 'example', named: /example/, target: 'amd:navi31', source: '', cache: 0, memory: 8 },
  ...{ clock: 1, simds: 10, unitSimds: 2, perUnit: false, bandwidth: 100 },
  units: { fma: 0.5, vector: 1, matrix: 32, issue: 0 },
};
const path = (some: Partial<typeof none & { cycles: number; multiplies: number }>) => ({
  ...none,
  ...{ cycles: 0, multiplies: 0, ...some },
});
/** A kernel of one loop, whose rounds do all. */
const kernel = (round: ReturnType<typeof path>, occupancy = 8, label = 'k'): CompiledKernel => ({
  ...{ label, occupancy },
  way: { once: path({}), round },
});

describe('the clocks of one way through a kernel', () => {
  it('are those of its units, or the cycles of all that run at once', () => {
    const clocks = (some: Parameters<typeof path>[0]) => pathClocks(card, 8, path(some));
    // 1000 multiply-adds, two a clock, and 100 other instructions.
    expect(clocks({ cycles: 4000, multiplies: 1000, fma: 1000, vector: 100 })).toBe(600);
    // 8000 cycles of each of eight.
    expect(clocks({ cycles: 8000, multiplies: 1000, fma: 1000, vector: 100 })).toBe(1000);
    // Four matrix products of 16 × 16 × 16, each 128 multiply-adds a lane.
    expect(clocks({ multiplies: 512, matrix: 4, vector: 100 })).toBe(4 * 32 + 100);
  });

  it('where one scheduler serves all units are those of every instruction, matrices beside them', () => {
    const nv = { ...card, unitSimds: 4, perUnit: true, units: { fma: 1, vector: 1, matrix: 64, issue: 1 } };
    // Instructions of half a matrix.
    const some = { multiplies: 512, matrix: 8, vector: 100, scalar: 50 };
    expect(pathClocks(nv, 8, path(some))).toBe(4 * 64);
    expect(pathClocks(nv, 8, path({ ...some, vector: 300 }))).toBe(8 + 300 + 50);
    // Eight in a unit of four SIMDs are two on each.
    expect(pathClocks(nv, 8, path({ ...some, cycles: 1000 }))).toBe(500);
  });
});

describe('the time of a call', () => {
  // 600 clocks for 32 × 1000 multiply-adds.
  const product = kernel(path({ multiplies: 1000, fma: 1000, vector: 100 }));
  const call = { work: 2 * 32_000 * 10_000, bytes: 1000, groups: 1000, threads: 64 };

  it('is that of its operations on all SIMDs', () => {
    const { seconds, moves } = forecastCall(card, product, call);
    expect(seconds).toBeCloseTo((10_000 * 600) / 10 / 1e9, 12);
    expect(moves).toBe(false);
  });

  it('counts the last round of workgroups in full', () => {
    const seconds = (groups: number) => forecastCall(card, product, { ...call, groups }).seconds;
    expect(seconds(6) / seconds(5)).toBeCloseTo(10 / 6, 12);
    expect(seconds(1) / seconds(5)).toBeCloseTo(5, 12);
  });

  it('counts what each subgroup does once but once, however deep the product is', () => {
    const way = { ...product.way!, once: path({ vector: 700 }) };
    const seconds = (work: number) =>
      forecastCall(card, { label: 'k', occupancy: 8, way }, { ...call, work }).seconds;
    // 2000 subgroups, each with five rounds of 600 clocks.
    expect(seconds(call.work)).toBeCloseTo((2000 * (700 + 5 * 600)) / 10 / 1e9, 12);
    expect(seconds(10 * call.work)).toBeCloseTo((2000 * (700 + 50 * 600)) / 10 / 1e9, 12);
  });

  it('of a product takes three rounds of the outer loop, the rest in the loop within; in attention all outside', () => {
    const chunk = path({ multiplies: 100, fma: 100 });
    const round = path({ multiplies: 400, fma: 400, vector: 1000 });
    const seconds = (label: string) =>
      forecastCall(card, { label, occupancy: 8, way: { once: path({}), round, chunk } }, call).seconds;
    // Each of 2000 subgroups has 5000 multiply-adds to do.
    expect(seconds('nf4_matmul, f32')).toBeCloseTo((2000 * (3 * 1000 + 2500)) / 10 / 1e9, 12);
    expect(seconds('attention, f32')).toBeCloseTo((2000 * (12.5 * 1000 + 2500)) / 10 / 1e9, 12);
  });

  it('is that of its bytes where memory takes longer, or nothing is computed, or nothing known', () => {
    const moved = { seconds: 0.01, moves: true };
    const large = { ...call, bytes: 1e9 };
    expect(forecastCall(card, product, large)).toEqual({ ...moved, known: true });
    expect(forecastCall(card, undefined, { ...large, work: 0 })).toEqual({ ...moved, known: true });
    expect(forecastCall(card, undefined, large)).toEqual({ ...moved, known: false });
  });

  it('counts only matrices as the product, and three of them for one in attention', () => {
    const matrices = path({ multiplies: 600, fma: 88, matrix: 4 });
    const seconds = (label: string) => forecastCall(card, kernel(matrices, 8, label), call).seconds;
    const clocks = 4 * 32 + 44;
    expect(seconds('nf4_matmul_packed')).toBeCloseTo(((call.work / 2 / (32 * 512)) * clocks) / 10 / 1e9, 12);
    expect(seconds('attention_packed 16x16x16') / seconds('nf4_matmul_packed')).toBeCloseTo(3, 12);
    expect(seconds('attention_backward_kv_packed 16x') / seconds('nf4_matmul_packed')).toBeCloseTo(2, 12);
  });
});

it("a workgroup's invocations are found in a kernel's code and constants", () => {
  const code = `const SUBGROUP_SIZE = 32u; override ROWS: u32 = 4u;
override THREADS = SUBGROUP_SIZE * ROWS;
@compute @workgroup_size(THREADS, 2)`;
  expect(workgroupThreads(code)).toBe(256);
  expect(workgroupThreads(code, { ROWS: 1 })).toBe(64);
  expect(workgroupThreads('@workgroup_size(64)')).toBe(64);
  expect(() => workgroupThreads('@workgroup_size(N)')).toThrow('no value for "N"');
  expect(() => workgroupThreads('fn main() {}')).toThrow('no value for ""');
});

it('a model has the steps of the cards whose compilers are known, with the kernels that win', async () => {
  const labels = (await modelPipelines(openNullGpu(), 'tiny')).map(({ label }) => label);
  // Of all variants of the products, one takes a tenth of the clocks.
  const kernels = labels.map((label) => {
    const fast = label.startsWith('nf4_matmul') && label.includes('64x64x16 by 4x4');
    return kernel(path({ multiplies: 1000, fma: 1000, vector: fast ? 0 : 10_000 }), 8, label);
  });
  const tables = [];
  for await (const table of forecastModel({ 'amd:navi33': { kernels } }, 'tiny', [64], () => undefined)) {
    tables.push(table);
  }
  const [steps, byKernel, tuning] = tables;
  expect(steps!.rows.map(([name, precision]) => [name, precision])).toEqual([
    ['RX 7600', 'f32'],
    ['RX 7600', 'matrix'],
  ]);
  const [, , ms, rate] = steps!.rows[0]! as [string, string, number, number];
  expect(rate / (64_000 / ms)).toBeCloseTo(1, 0);
  const times = byKernel!.rows.map(([, f32]) => Number(f32));
  expect(times.reduce((sum, time) => sum + time, 0)).toBeCloseTo(ms, 0);
  // Where nothing is known of matrices, f32 serves.
  expect(byKernel!.rows.filter(([name]) => /matrix|packed/.test(String(name)))).toEqual([]);
  expect(byKernel!.notes[0]).toContain('RX 7600: 64 SIMDs at 2.25 GHz, 288 GB/s');
  // With 8 GB, a run of the tiny model has the largest passes.
  expect(tuning!.rows.map(([name, precision, tokens]) => [name, precision, tokens])).toEqual(
    ['f32', 'f16', 'matrix'].map((precision) => ['RX 7600', precision, 4096]),
  );
});

it('of each target whose card is known the program keeps what a forecast reads', async () => {
  const product = kernel(
    path({ cycles: 900, multiplies: 64, fma: 64, vector: 7, lds: 3, scalar: 2 }),
    12,
    'product',
  );
  const others = [
    kernel(path({ vector: 9 }), 4, 'adds nothing'),
    kernel(path({ multiplies: 9, fma: 9 }), 4, 'peer: others'),
    { label: 'without a listing', occupancy: 4 },
  ];
  expect(
    keptCompiled({
      'nv:0x197': { date: '2026-11-30', kernels: [product, ...others] },
      'amd:navi21': { kernels: [product] },
    }),
  ).toEqual({
    'nv:0x197': {
      date: '2026-11-30',
      kernels: { product: [12, 0, 0, 0, 0, 0, 0, 900, 64, 64, 0, 7, 5, 900, 64, 64, 0, 7, 5] },
    },
  });
  const shipped = await shippedCompiled();
  for (const { target } of CARDS) {
    const { kernels } = shipped[target]!;
    expect(kernels.length).toBeGreaterThan(40);
    const { way, occupancy } = kernels.find(({ label }) => label.startsWith('nf4_matmul, f32 128x128x16,'))!;
    // A round of the loop: 128 × 128 × 16 by 256 threads, and the decoding of a block's scale.
    expect(way!.chunk).toMatchObject({ multiplies: 1025, fma: 1025, matrix: 0 });
    expect(way!.chunk!.cycles).toBeGreaterThan(1025);
    expect(occupancy).toBeGreaterThan(0);
  }
});

it.each([
  ['[', 'isa.json: not JSON ('],
  ['{}', 'isa.json: no kernels by target; expected the JSON that npm run isa writes.'],
  ['{"amd:navi31": 3}', 'isa.json: no kernels by target'],
  [
    '{"amd:navi31": {"kernels": [{"label": "a"}]}}',
    "isa.json: no kernel's way with its cycles for any of nv:0x197",
  ],
])('refuses %j in a sentence', (text, sentence) => {
  expect(() => parseCompiled(text, 'isa.json')).toThrow(sentence);
});

it('each card is told by its name, and by no other', () => {
  const names = [
    'NVIDIA GeForce RTX 4060',
    'AMD Radeon RX 7900 XTX (RADV NAVI31)',
    'NVIDIA H200',
    'RX 9070 XT',
  ];
  const told = (name: string) => CARDS.filter(({ named }) => named.test(name)).map((one) => one.name);
  expect(names.map(told)).toEqual([['RTX 4060'], ['RX 7900 XTX'], ['H200'], ['RX 9070 XT']]);
  for (const other of [
    'NVIDIA GeForce RTX 4060 Ti',
    'NVIDIA GeForce RTX 4090 Laptop GPU',
    'AMD Radeon RX 7600 XT',
  ]) {
    expect(told(other)).toEqual([]);
  }
});
