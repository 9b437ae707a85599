// Reference: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.
import gradientCode from '../../../../shaders/lora/lora_gradient.wgsl';
import projectCode from '../../../../shaders/lora/lora_project.wgsl';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { type BufferView, view } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { paramsOf, valuesOf } from '../shared/parts.ts';
import { bytesBeside, sumParts } from '../shared/sum-slices.ts';
import { type Dropout, maskParams } from './dropout.ts';

const PROJECT_PART = {
  depth: 'u32',
  rank: 'u32',
  tiles: 'u32',
  slices: 'u32',
  w_at: 'u32',
  out_at: 'u32',
  partial_at: 'u32',
  alpha: 'f32',
} as const;

const projectKernel = new Kernel({
  name: 'lora_project',
  code: projectCode,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read_write', 'read_write'],
  params: paramsOf(PROJECT_PART, {
    ...{ rows: 'u32', slice_depth: 'u32', threshold: 'u32', scale: 'f32' },
    ...{ module_key0: 'u32', module_key1: 'u32', module_key2: 'u32' },
  }),
});

const GRADIENT_PART = {
  width: 'u32',
  rank: 'u32',
  wide_tiles: 'u32',
  rank_tiles: 'u32',
  narrow_at: 'u32',
  out_at: 'u32',
  partial_at: 'u32',
  module_key: 'u32',
} as const;

const gradientKernel = new Kernel({
  name: 'lora_gradient',
  code: gradientCode,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read_write', 'read_write'],
  params: paramsOf(GRADIENT_PART, {
    ...{ tokens: 'u32', slices: 'u32', slice_tokens: 'u32', threshold: 'u32', scale: 'f32' },
  }),
});

/** Rows (or widths) and ranks of a workgroup's tile. */
const TILE = 64;
const TILE_RANK = 32;
/**
 * Target number of workgroups when splitting the depth: enough for the largest devices, few enough to keep their
 * sums in cache.
 */
const WORKGROUPS = 768;
/** Minimum depth of a slice, and maximum slices of a depth. */
const MIN_SLICE = 128;
const MAX_SLICES = 32;

/** Size in f32 values of the `scratch` of this file's products. */
export const LORA_SCRATCH = WORKGROUPS * TILE * TILE_RANK;

/**
 * The depth of a slice for products of these depths and numbers of tiles; a function of the shapes alone, so that
 * sums have the same order everywhere.
 */
function sliceDepth(parts: readonly { depth: number; tiles: number }[]): number {
  const longest = Math.max(...parts.map(({ depth }) => depth));
  const jobs = (slice: number) =>
    parts.reduce((sum, { depth, tiles }) => sum + tiles * ceilDiv(depth, slice), 0);
  let slice = 32 * ceilDiv(Math.max(MIN_SLICE, longest / MAX_SLICES), 32);
  while (slice < longest && jobs(slice) > WORKGROUPS) {
    slice += 32;
  }
  return slice;
}

/**
 * The smallest view that covers views of one buffer, and the offset of each in it, in f32. Throws Error if they are
 * in different buffers.
 */
function span(views: readonly BufferView[]): { whole: BufferView; at: number[] } {
  const { buffer } = views[0]!;
  if (views.some((v) => v.buffer !== buffer)) {
    throw new Error('LoRA parts in different buffers');
  }
  const begin = Math.min(...views.map((v) => v.offset));
  const end = Math.max(...views.map((v) => v.offset + v.size));
  return { whole: view(buffer, begin, end - begin), at: views.map((v) => (v.offset - begin) / 4) };
}

/** Three bindings for one to three views. */
const three = ([a, b, c]: readonly BufferView[]): [BufferView, BufferView, BufferView] => [
  a!,
  b ?? a!,
  c ?? a!,
];

/** Sums the slices of the parts that have several; single slices are already in place. */
function addUp(stream: Stream, call: Parameters<typeof sumParts>[1]): void {
  const parts = call.parts.map((part) => (part.slices > 1 ? part : { ...part, count: 0 }));
  sumParts(stream, { ...call, parts });
}

/**
 * Offset of each part's slices in the scratch, and the values used in total. Throws Error if the scratch is too
 * small.
 */
function placeSlices(parts: readonly { count: number; slices: number }[], scratch: BufferView) {
  let at = 0;
  const begins = parts.map(({ count, slices }) => {
    const begin = at;
    if (slices > 1) {
      at += count * slices;
    }
    return begin;
  });
  if (4 * at > scratch.size) {
    throw new Error(`scratch of ${scratch.size} bytes, ${4 * at} needed`);
  }
  return { begins, used: at };
}

/** Masks x, per part by its module's key. */
interface LoraDropout extends Dropout {
  /** `moduleKey` of each part's module. */
  moduleKeys: readonly number[];
}

/** Its constants and parameters, as the kernels take them. */
const masking = (dropout: LoraDropout | undefined) => ({
  constants: { DROPOUT: Number(!!dropout) },
  params: maskParams({ rate: dropout?.rate ?? 0 }),
});

/** One factor's share of `loraProject`. */
interface Projected {
  /** f32 [rows, depth], depth a multiple of 4 */
  x: BufferView;
  /** f32 [r, depth], or [depth, r] with `wByRank`; offset a multiple of 16 bytes. */
  w: BufferView;
  /** f32 [rows, r] */
  out: BufferView;
  depth: number;
  rank: number;
  /** Factor applied to the product. */
  alpha: number;
}

/**
 * out = alpha·x·wᵀ for up to three factors: u = s·x·Aᵀ and, with `wByRank`, v = s·dy·B. All w must be in one
 * buffer, all outs in another. `dropout` masks x. `scratch` holds LORA_SCRATCH values.
 */
export function loraProject(
  stream: Stream,
  call: {
    parts: readonly Projected[];
    rows: number;
    wByRank: boolean;
    dropout?: LoraDropout | undefined;
    scratch: BufferView;
  },
): void {
  const { rows, scratch, dropout } = call;
  const [w, out] = [span(call.parts.map((part) => part.w)), span(call.parts.map((part) => part.out))];
  const rowTiles = ceilDiv(rows, TILE);
  const tiles = call.parts.map(({ rank }) => ceilDiv(rank, TILE_RANK));
  const slice = sliceDepth(call.parts.map(({ depth }, i) => ({ depth, tiles: rowTiles * tiles[i]! })));
  const sums = call.parts.map(({ rank, depth }, i) => ({
    count: rows * rank,
    slices: ceilDiv(depth, slice),
    out_at: out.at[i]!,
  }));
  const { begins, used } = placeSlices(sums, scratch);
  const parts = call.parts.map(({ depth, rank, alpha }, i) => ({
    ...sums[i]!,
    ...{ depth, rank, alpha, tiles: tiles[i]!, w_at: w.at[i]! / 4, partial_at: begins[i]! },
  }));
  const xs = three(call.parts.map((part) => part.x));
  const mask = masking(dropout);
  const [key0 = 0, key1 = 0, key2 = 0] = dropout?.moduleKeys ?? [];
  stream.dispatch(projectKernel, {
    // Absent operands are bound to x and never read.
    buffers: [...xs, w.whole, dropout?.tokenKeys ?? xs[0], out.whole, scratch],
    bytes: bytesBeside([...xs, w.whole, out.whole], used),
    params: {
      ...valuesOf(PROJECT_PART, parts),
      ...{ rows, slice_depth: slice, ...mask.params },
      ...{ module_key0: key0, module_key1: key1, module_key2: key2 },
    },
    groups: [parts.reduce((sum, part) => sum + part.tiles * part.slices, 0), rowTiles],
    constants: { W_BY_RANK: Number(call.wByRank), ...mask.constants },
    work: parts.reduce((sum, { depth, rank }) => sum + 2 * rows * depth * rank, 0),
  });
  addUp(stream, { partial: scratch, out: out.whole, parts, accumulate: false });
}

/** One factor's share of `loraGradient`. */
interface FactorGradient {
  /** f32 [T, width], width a multiple of 4: dy or x */
  wide: BufferView;
  /** f32 [T, r]: u or v */
  narrow: BufferView;
  /** f32 [width, r], or [r, width] with `outByWidth` */
  out: BufferView;
  width: number;
  rank: number;
}

/**
 * out += wideᵀ·narrow for up to three factors: dB += dyᵀ·u and, with `outByWidth`, dA += vᵀ·x. All narrows must be
 * in one buffer, all outs in another. `dropout` masks the wides. `scratch` holds LORA_SCRATCH values.
 */
export function loraGradient(
  stream: Stream,
  call: {
    parts: readonly FactorGradient[];
    tokens: number;
    outByWidth: boolean;
    dropout?: LoraDropout | undefined;
    scratch: BufferView;
  },
): void {
  const { tokens, scratch, dropout } = call;
  const narrow = span(call.parts.map((part) => part.narrow));
  const out = span(call.parts.map((part) => part.out));
  const tiles = call.parts.map(({ width, rank }) => ({
    wide_tiles: ceilDiv(width, TILE),
    rank_tiles: ceilDiv(rank, TILE_RANK),
  }));
  const all = tiles.reduce((sum, t) => sum + t.wide_tiles * t.rank_tiles, 0);
  const slice = sliceDepth([{ depth: tokens, tiles: all }]);
  const slices = ceilDiv(tokens, slice);
  const sums = call.parts.map(({ width, rank }, i) => ({ count: width * rank, slices, out_at: out.at[i]! }));
  const { begins, used } = placeSlices(sums, scratch);
  const parts = call.parts.map(({ width, rank }, i) => ({
    ...{ ...sums[i]!, ...tiles[i]!, width, rank },
    ...{ narrow_at: narrow.at[i]!, partial_at: begins[i]! },
    module_key: dropout?.moduleKeys[i] ?? 0,
  }));
  const wides = three(call.parts.map((part) => part.wide));
  const mask = masking(dropout);
  stream.dispatch(gradientKernel, {
    buffers: [...wides, narrow.whole, dropout?.tokenKeys ?? wides[0], out.whole, scratch],
    bytes: bytesBeside([...wides, narrow.whole, out.whole], used),
    params: { ...valuesOf(GRADIENT_PART, parts), tokens, slices, slice_tokens: slice, ...mask.params },
    groups: [all, slices],
    constants: { OUT_BY_WIDTH: Number(call.outByWidth), ...mask.constants },
    work: parts.reduce((sum, { width, rank }) => sum + 2 * tokens * width * rank, 0),
  });
  addUp(stream, { partial: scratch, out: out.whole, parts, accumulate: true });
}
