import { expect, it } from 'vitest';
import { parseAco } from '../../bench/isa/aco.ts';
import { type Block, hottestPath } from '../../bench/isa/path.ts';

const block = (before: number[], fma: number, other = 0): Block => ({
  before,
  instructions: [
    ...Array.from({ length: fma }, () => ({ kinds: ['fma'] as const, multiplies: 1, cycles: 2 })),
    ...Array.from({ length: other }, () => ({ kinds: ['vector'] as const, multiplies: 0, cycles: 5 })),
  ],
});

it('the hottest way takes the side with the multiply-adds, and what has no other side', () => {
  const blocks = [
    block([], 1),
    // Either side of a branch,
    block([0], 10),
    block([0], 2, 100),
    // then one that may be passed over.
    block([1, 2], 0, 3),
    block([1, 2, 3], 1),
  ];
  expect(hottestPath(blocks)).toMatchObject({ fma: 12, vector: 3, multiplies: 12, cycles: 12 * 2 + 3 * 5 });
  expect(hottestPath([])).toBeUndefined();
});

it('loops run eight times, those in them four, and one at an edge not at all where there is another way', () => {
  const blocks = [
    block([], 0, 1),
    // A loop over 1 … 5,
    block([0, 5], 1),
    // in it a loop of one block,
    block([1, 2], 10),
    // and two ways to load: one with a loop in it.
    block([2], 0, 7),
    block([2, 4], 0, 50),
    block([3, 4], 0, 1),
    block([1, 5], 0, 2),
  ];
  expect(hottestPath(blocks)).toMatchObject({
    multiplies: 8 * (1 + 4 * 10),
    vector: 1 + 8 * (7 + 1) + 2,
  });
});

it("ACO's cycles are read with what leads to a block", () => {
  const text = `After lowering to hw instructions:
BB0
/* logical preds: / linear preds: / kind: top-level, branch, */
	(  3 clk)   v4 = v_mov_b32 0
BB1
/* logical preds: BB0, BB1, / linear preds: BB0, BB1, / kind: loop-header, loop-latch, */
	(  1 clk)   v14 = v_fma_f32 v101, v100, s27
	(  2 clk)   v15 = v_pk_fma_f16 v101, v100, v15
	( 12 clk)   v[0-7] = v_wmma_f32_16x16x16_f16 v[8-15], v[16-23], v[0-7]
	(  1 clk)   v1 = v_dual_fmac_f32 v2, v3, v1 :: v4 = v_dual_mov_b32 0
	(  1 clk)   s_cbranch_scc1 block:BB1
BB2
/* logical preds: BB1, / linear preds: BB1, / kind: top-level, */
	(  1 clk)   s_endpgm`;
  expect(parseAco(text.split('\n')).path).toMatchObject({
    ...{
      cycles: 3 + 8 * 17 + 1,
      multiplies: 8 * (1 + 2 + 128 + 1),
      fma: 24,
      matrix: 8,
      vector: 1,
      scalar: 9,
    },
  });
});
