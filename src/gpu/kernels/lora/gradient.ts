// Reference: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.
import gradientCode from '../../../../shaders/lora/lora_gradient.wgsl';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { type BufferView, spanOf } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import type { Gated } from '../gated-halves.ts';
import type { PartsOf } from '../shared/parts.ts';
import { bytesBeside } from '../shared/sum-slices.ts';
import { type Dropout, masking } from './dropout.ts';
import { groupsFor, ONE_GATED, sliceDepth, three, TILE, TILE_RANK } from './tiles.ts';

const GRADIENT_PART = {
  width: 'u32',
  rank: 'u32',
  wide_tiles: 'u32',
  rank_tiles: 'u32',
  narrow_at: 'u32',
  out_at: 'u32',
  slice_tokens: 'u32',
  module_key: 'u32',
} as const;

/** Up to three dB and three dA. */
const GRADIENT_PARTS = 6;

const gradientKernel = new Kernel({
  name: 'lora_gradient',
  code: gradientCode,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
  parts: { fields: GRADIENT_PART, count: GRADIENT_PARTS },
  params: { b_parts: 'u32', tokens: 'u32', threshold: 'u32', scale: 'f32' },
});

/** Rows or columns, and ranks, of a workgroup's tile of a gradient. */
const GRADIENT_TILE = 32;

/** A gradient of B: dB += dyᵀ·u. */
interface GradientB {
  /** f32 [T, width], width a multiple of 4 */
  dy: BufferView;
  /** f32 [T, r], as `loraProject` left it from x */
  u: BufferView;
  /** f32 [width, r] */
  dB: BufferView;
  width: number;
  rank: number;
}

/** A gradient of A: dA += vᵀ·x. */
interface GradientA {
  /** f32 [T, r], as `loraProject` left it from dy */
  v: BufferView;
  /** f32 [r, depth] */
  dA: BufferView;
  rank: number;
  /** `moduleKey` of the module; under dropout only. */
  moduleKey?: number;
}

/**
 * dB += dyᵀ·u and dA += vᵀ·x, up to three of each (one where x is made of gate and up). All u must be in one buffer,
 * all v in another, all dB and dA in a third. x is f32 [T, depth], depth a multiple of 4; `dropout` masks it.
 */
export function loraGradient(
  stream: Stream,
  call: {
    B: readonly GradientB[];
    A: readonly GradientA[];
    x: BufferView | Gated;
    depth: number;
    tokens: number;
    dropout?: Dropout | undefined;
  },
): void {
  const { B, A, tokens, x, depth, dropout } = call;
  const gated = 'gate' in x;
  if (gated && Math.max(B.length, A.length) > 1) {
    throw new Error(ONE_GATED);
  }
  const out = spanOf([...B.map(({ dB }) => dB), ...A.map(({ dA }) => dA)]);
  // Absent operands are bound to others and never read.
  const nothing = gated ? x.gate : x;
  const u = B.length > 0 ? spanOf(B.map((part) => part.u)) : { whole: nothing, at: [] };
  const v = A.length > 0 ? spanOf(A.map((part) => part.v)) : { whole: nothing, at: [] };
  const parts: PartsOf<typeof GRADIENT_PART> = [
    ...sliced(
      tokens,
      B.map(({ width, rank }, i) => ({
        ...{ width, rank, narrow_at: u.at[i]! / 4, out_at: out.at[i]! / 4, module_key: 0 },
      })),
    ),
    ...sliced(
      tokens,
      A.map(({ rank, moduleKey = 0 }, i) => ({
        ...{ width: depth, rank, narrow_at: v.at[i]! / 4, out_at: out.at[B.length + i]! / 4 },
        module_key: moduleKey,
      })),
    ),
  ];
  const [dy0, dy1, dy2] = three(B.length > 0 ? B.map(({ dy }) => dy) : [nothing]);
  const inputs = gated ? [dy0, x.up, dy2, x.gate] : [dy0, dy1, dy2, x];
  const mask = masking(dropout);
  const slices = Math.max(...parts.map(({ slice_tokens }) => ceilDiv(tokens, slice_tokens)));
  stream.dispatch(gradientKernel, {
    buffers: [...inputs, u.whole, v.whole, dropout?.tokenKeys ?? dy0, out.whole],
    bytes: () => bytesBeside([...inputs, u.whole, v.whole, out.whole], 0),
    parts,
    params: { b_parts: B.length, tokens, ...mask.params },
    groups: [parts.reduce((sum, { wide_tiles, rank_tiles }) => sum + wide_tiles * rank_tiles, 0)],
    constants: { GROUPS: groupsFor(slices), GATED: Number(gated), ...mask.constants },
    work: parts.reduce((sum, { width, rank }) => sum + 2 * tokens * width * rank, 0),
  });
}

/** The parts with their tiles, and with slices of tokens as long as the larger tiles of `sliceDepth` make them. */
function sliced(tokens: number, parts: readonly Sliced[]): PartsOf<typeof GRADIENT_PART> {
  const tiles = parts.reduce((sum, p) => sum + ceilDiv(p.width, TILE) * ceilDiv(p.rank, TILE_RANK), 0);
  const slice_tokens = sliceDepth([{ depth: tokens, tiles }]);
  return parts.map(({ width, rank, narrow_at, out_at, module_key }) => ({
    width,
    rank,
    narrow_at,
    out_at,
    module_key,
    slice_tokens,
    wide_tiles: ceilDiv(width, GRADIENT_TILE),
    rank_tiles: ceilDiv(rank, GRADIENT_TILE),
  }));
}

type Sliced = PartsOf<
  Pick<typeof GRADIENT_PART, 'width' | 'rank' | 'narrow_at' | 'out_at' | 'module_key'>
>[number];
