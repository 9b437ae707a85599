import { beforeAll, describe, expect, it } from 'vitest';
import {
  attentionCandidates,
  forwardCandidates,
  gradientCandidates,
  headCandidates,
} from '../../../src/gpu/autotune/candidates.ts';
import { className, openKernelPlan } from '../../../src/gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { ATTENTION_CLASSES } from '../../../src/gpu/kernels/attention/index.ts';
import { NF4_FORWARD, NF4_GRAD } from '../../../src/gpu/kernels/linear/index.ts';
import { LM_HEADS } from '../../../src/gpu/kernels/lm-head/index.ts';
import { openMatrixGpu } from '../../support/matrix-gpu.ts';
import { globals } from '../../support/null-webgpu.mjs';

let gpu: Gpu;
beforeAll(() => {
  Object.assign(globalThis, globals);
  gpu = openMatrixGpu();
});

const SHAPE = { columns: 8960, depth: 1536 };
const WORK = { precision: 'matrix', rows: 1024, rank: 32, nested: true, scratch: 112 * 2 ** 20 } as const;
const attention = { heads: 12, kvHeads: 2, headDim: 128 };
const names = (variants: readonly { name: string }[]) => variants.map(({ name }) => name);

describe('products on subgroup matrices', () => {
  it('are tried by packed operands and the f32 tiles that may win', () => {
    expect(names(forwardCandidates(SHAPE, WORK, gpu))).toEqual([
      'matrix packed 2x2',
      'f32 64x128x16',
      'f32 64x64x16',
      'f32 32x64x32',
      'f32 64x64x16 by 8x4',
    ]);
    expect(names(gradientCandidates(SHAPE, WORK, gpu))).toEqual([
      'matrix packed 2x2',
      'f32 64x128x16',
      'f32 64x64x16',
    ]);
  });

  it('are tried by those that decode as they multiply where there is no room for a packed weight', () => {
    for (const candidates of [forwardCandidates, gradientCandidates]) {
      const [first, second, ...others] = names(candidates(SHAPE, { ...WORK, scratch: 2 ** 20 }, gpu));
      expect([first, second]).toEqual(['matrix 2x2', 'matrix 4x2']);
      expect(others).toContain('f16 64x128');
      expect(others).not.toContain('matrix packed 2x2');
    }
  });

  it('are tried by all in short passes, as are those of the other precisions', () => {
    const all = NF4_FORWARD.length;
    expect(forwardCandidates(SHAPE, { ...WORK, rows: 256 }, gpu)).toHaveLength(all);
    const inF32 = NF4_GRAD.filter(({ precision }) => precision === 'f32');
    expect(gradientCandidates(SHAPE, { ...WORK, precision: 'f32' }, gpu)).toEqual(inF32);
  });
});

it('the head is tried on matrices and by two tiles of f32, in f32 by all', () => {
  const head = { vocab: 151936, rows: 192 };
  const inF32 = LM_HEADS.filter(({ precision }) => precision === 'f32');
  expect(names(headCandidates({ precision: 'matrix', head }, gpu))).toEqual([
    'matrix',
    'matrix 4x2',
    'f32',
    'f32 128x128x16',
  ]);
  expect(headCandidates({ precision: 'f32', head }, gpu)).toEqual(inF32);
});

describe.each(ATTENTION_CLASSES)('%s', (part) => {
  it('is tried by packed operands where the scratch holds them, and never by what spills', () => {
    const tried = (scratch: number) => names(attentionCandidates(part, { ...WORK, attention, scratch }, gpu));
    const [first, ...f32] = tried(WORK.scratch);
    expect(first).toBe('matrix packed');
    expect(f32[0]).toBe('f32 32x64 by 4x4');
    expect(f32).not.toContain('matrix');
    // Without it f32 serves, which needs none.
    expect(tried(2 ** 20)).toEqual(f32);
  });
});

/** What plans of versions until 2026-11-30 name, by class. */
const HALVES = ['f16 64x128 with sums in f32', 'f16 64x128'];
const ON_MATRICES = ['matrix 2x2', 'matrix 4x2', 'matrix packed 2x2'];
const TILES = ['64x128x16', '128x64x16', '128x128x8', '128x128x16', '64x64x16', '32x64x32', '32x32x32'];
const BY = ['128x64x16 by 8x4', '64x64x16 by 8x4', '64x64x16 by 4x4', '128x128x16 by 8x16'];
const PRODUCTS = [...HALVES, ...ON_MATRICES, ...[...TILES, ...BY].map((tile) => `f32 ${tile}`)];
const HEADS = ['128x128x16', '128x64x16', '64x64x16 by 8x4', '128x128x16 by 8x16'].map(
  (tile) => `f32 ${tile}`,
);
const PARTS = ['matrix', 'matrix packed', 'f32 32x64 by 4x4', 'f32 64x64 by 4x4'];

it('a plan may name each variant still, tried or not', () => {
  const refuse = (missing: string): never => expect.fail(missing);
  const open = (tiles: Record<string, string>) => openKernelPlan(gpu, { precision: 'matrix', tiles }, refuse);
  for (const name of PRODUCTS) {
    expect(open({ [className('forward', SHAPE)]: name }).forward(SHAPE).name).toBe(name);
    expect(open({ [className('gradient', SHAPE)]: name }).gradient(SHAPE).name).toBe(name);
  }
  for (const name of ['f32', 'matrix', 'matrix 4x2', 'matrix packed 2x2', ...HEADS]) {
    expect(open({ head: name }).head.name).toBe(name);
  }
  for (const part of ATTENTION_CLASSES) {
    for (const name of PARTS) {
      expect(open({ [part]: name }).attention(part, attention).name).toBe(name);
    }
  }
});
