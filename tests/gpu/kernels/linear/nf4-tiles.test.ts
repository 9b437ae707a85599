import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../../src/cli/node-gpu.ts';
import { chooseKernels } from '../../../../src/gpu/autotune/autotune.ts';
import { attentionCandidates } from '../../../../src/gpu/autotune/candidates.ts';
import type { BestVariants } from '../../../../src/gpu/autotune/tuning-results.ts';
import type { Workload } from '../../../../src/gpu/autotune/workload.ts';
import { ATTENTION_CLASSES } from '../../../../src/gpu/kernels/attention/index.ts';
import { NF4_FORWARD, NF4_GRAD } from '../../../../src/gpu/kernels/linear/index.ts';
import type { Variant } from '../../../../src/gpu/kernels/linear/nf4-variant.ts';
import { LM_HEADS } from '../../../../src/gpu/kernels/lm-head/index.ts';
import { NORMS } from '../../../../src/gpu/kernels/rmsnorm.ts';
import { add, matmulRef, transpose } from '../../../reference/ops/matmul.ts';
import { f64, relativeError, TestGpu } from '../../../support/gpu.ts';
import { randomWeight } from '../../../support/nf4.ts';
import { Random } from '../../../support/random.ts';

let t: TestGpu;

// All of the adapter's limits: the largest tile needs more workgroup memory than WebGPU guarantees.
beforeAll(async () => void (t = new TestGpu(await openNodeGpu('adapter'))));
afterAll(() => t.close());

const tiles = <Call>(variants: readonly Variant<Call>[]) =>
  variants.filter(({ precision }) => precision === 'f32').map((v) => [v.name, v] as const);

/** Rows × out × in: around the tiles, one tile and a part of another each way, and a single row. */
const SHAPES = [
  [1, 36, 96, 'nested'],
  [31, 68, 32, 'nested'],
  [129, 132, 160, 'nested'],
  [67, 132, 160, 'bf16'],
] as const;

describe.each(tiles(NF4_FORWARD))('%s forward', (_, variant) => {
  it.each(SHAPES)('%i rows, %i out, %i in, %s', async (rows, columns, depth, stored) => {
    const random = new Random(rows * 7919 + columns * 31 + depth);
    const { weight, decoded } = randomWeight(t, random, columns, depth, stored);
    const rank = 1 + (rows % 40);
    const x = random.normals(rows * depth);
    const u = random.normals(rows * rank);
    const b = random.normals(columns * rank);
    const bias = random.normals(columns);
    const residual = random.normals(rows * columns);
    let expected = matmulRef(f64(x), transpose(decoded, columns, depth), rows, depth, columns);
    expected = add(expected, matmulRef(f64(u), transpose(f64(b), columns, rank), rows, rank, columns));
    expected = add(expected, residual).map((v, i) => v + bias[i % columns]!);
    const call = {
      x: t.upload(x),
      weight,
      rows,
      lora: { activations: t.upload(u), matrix: t.upload(b), rank },
      bias: t.upload(bias),
      residual: t.upload(residual),
    };
    const [y, again] = [t.output(rows * columns), t.output(rows * columns)];
    variant.dispatch(t.stream, { ...call, y });
    variant.dispatch(t.stream, { ...call, y: again });
    expect(relativeError(await t.floats(y), expected)).toBeLessThan(1e-5);
    expect(await t.words(again)).toEqual(await t.words(y));
  });
});

describe.each(tiles(NF4_GRAD))('%s gradient', (_, variant) => {
  it.each(SHAPES)('%i rows, %i out, %i in, %s', async (rows, columns, depth, stored) => {
    const random = new Random(rows * 104729 + columns * 31 + depth);
    const { weight, decoded } = randomWeight(t, random, columns, depth, stored);
    const rank = 1 + (rows % 40);
    const dy = random.normals(rows * columns);
    const v = random.normals(rows * rank);
    const a = random.normals(rank * depth);
    const before = random.normals(rows * depth);
    const expected = add(
      matmulRef(f64(dy), decoded, rows, columns, depth),
      matmulRef(f64(v), f64(a), rows, rank, depth),
    );
    const lora = { activations: t.upload(v), matrix: t.upload(a), rank };
    const call = { dy: t.upload(dy), weight, rows, lora };
    const [dx, added] = [t.output(rows * depth), t.upload(before)];
    const again = t.output(rows * depth);
    variant.dispatch(t.stream, { ...call, dx, accumulate: false });
    variant.dispatch(t.stream, { ...call, dx: again, accumulate: false });
    variant.dispatch(t.stream, { ...call, dx: added, accumulate: true });
    expect(relativeError(await t.floats(dx), expected)).toBeLessThan(1e-5);
    expect(relativeError(await t.floats(added), add(expected, before))).toBeLessThan(1e-5);
    expect(await t.words(again)).toEqual(await t.words(dx));
  });
});

// Here, because all variants are compiled already. The device must not report that it is a software device: those
// are not tuned.
it('times the variants of each class, and remembers the fastest', async () => {
  const gpu = { ...t.gpu, software: false };
  const shapes = [
    { columns: 100, depth: 96 },
    { columns: 96, depth: 160 },
    { columns: 100, depth: 96 },
  ];
  const head = { vocab: 300, rows: 40 };
  const attention = { heads: 2, kvHeads: 1, headDim: 8 };
  const common = { head, attention, rows: 40, longest: 16, rank: 8, nested: true, scratch: 2 ** 20 };
  const work: Workload = { precision: 'f32', shapes, width: 96, ...common };
  const kept = new Map<string, BestVariants>();
  const cache = {
    get: (key: string) => Promise.resolve(kept.get(key)),
    set: (key: string, winners: BestVariants) => Promise.resolve(void kept.set(key, winners)),
  };
  const raced: [done: number, total: number][] = [];
  /** From none to all, never decreasing. */
  const toldAll = () => {
    const [first, last] = [raced[0]!, raced.at(-1)!];
    expect(first[0]).toBe(0);
    expect(last[0]).toBe(last[1]);
    const dones = raced.map(([done]) => done);
    expect(dones).toEqual(dones.toSorted((a, b) => a - b));
    expect(new Set(raced.map(([, total]) => total)).size).toBe(1);
    return last[1];
  };
  const able = NF4_FORWARD.filter((variant) => variant.precision === 'f32' && variant.supported(gpu));
  const notes: string[] = [];
  const tuning = {
    cache,
    onProgress: (done: number, total: number) => void raced.push([done, total]),
    note: (text: string) => void notes.push(text),
  };
  const before = t.gpu.memory.total;
  const tiles = await chooseKernels(gpu, work, tuning);
  expect(t.gpu.memory.total).toBe(before);
  expect(notes).toEqual([]);
  const heads = LM_HEADS.filter((variant) => variant.precision === 'f32');
  const parts = ATTENTION_CLASSES.flatMap((part) => attentionCandidates(part, work, gpu));
  // Two shapes, both directions, with equally many variants; the head, the norms, and the parts of attention.
  expect(toldAll()).toBe(4 * able.length + heads.length + NORMS.length + parts.length);
  expect(Object.keys(tiles).toSorted()).toEqual([
    'attention',
    'attention keys',
    'attention queries',
    'forward 100x96',
    'forward 96x160',
    'gradient 100x96',
    'gradient 96x160',
    'head',
    'norms',
  ]);
  const names = [...NF4_FORWARD, ...LM_HEADS, ...NORMS, ...parts].map(({ name }) => name);
  for (const name of Object.values(tiles)) {
    expect(names).toContain(name);
  }
  const [key, winners] = [...kept][0]!;
  expect(key).toMatch(/^SwiftShader.*kernels \d+$|kernels \d+$/);

  // A stored name is used, whichever it is, if it is a variant; otherwise a new trial decides.
  const other = Object.fromEntries(
    Object.entries(winners).map(([race, name]) => [race, /ward|gradient/.test(race) ? 'f32 32x32x32' : name]),
  );
  const [first] = Object.keys(other);
  kept.set(key, { ...other, [first!]: 'f32 7x7x7' });
  raced.length = 0;
  const again = await chooseKernels(gpu, work, tuning);
  expect(toldAll()).toBe(able.length);
  expect(Object.values(again).filter((name) => name === 'f32 32x32x32').length).toBeGreaterThanOrEqual(3);
  expect(kept.get(key)![first!]).not.toBe('f32 7x7x7');
});
