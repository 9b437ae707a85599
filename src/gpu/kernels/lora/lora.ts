// Reference: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.
import gradientCode from '../../../../shaders/lora/lora_gradient.wgsl';
import projectCode from '../../../../shaders/lora/lora_project.wgsl';
import wholeCode from '../../../../shaders/lora/lora_project_whole.wgsl';
import gateUp from '../../../../shaders/lora/project_gate_up_by_floats.wgsl';
import gateUpInHalves from '../../../../shaders/lora/project_gate_up_by_halves.wgsl';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { type BufferView, spanOf } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { type Gated, placesIn, roundGated } from '../gated-halves.ts';
import { PARTS, type PartsOf } from '../shared/parts.ts';
import { bytesBeside, sumParts } from '../shared/sum-slices.ts';
import { swiglu } from '../swiglu.ts';
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

const kernelFor = (name: string, code: string, more: readonly 'read_write'[] = []) =>
  new Kernel({
    ...{ name, code },
    buffers: ['read', 'read', 'read', 'read', 'read', 'read_write', 'read_write', ...more],
    parts: { fields: PROJECT_PART, count: PARTS },
    params: {
      ...({ rows: 'u32', slice_depth: 'u32', threshold: 'u32', scale: 'f32' } as const),
      ...({ module_key0: 'u32', module_key1: 'u32', module_key2: 'u32' } as const),
    },
  });

const projectKernel = kernelFor('lora_project', projectCode);

/** The same without slices of the depth in several workgroups. */
const wholeKernel = kernelFor('lora_project_whole', gateUp + wholeCode);

/** The same for gate and up that are rounded to f16. */
const halvesKernel = kernelFor('lora_project_whole in halves', gateUpInHalves + wholeCode, ['read_write']);

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

/** Rows of a workgroup that takes all slices, and workgroups from which passes have enough of them. */
const WHOLE_ROWS = 16;
const ENOUGH_WORKGROUPS = 32;
/** Rows or columns, and ranks, of a workgroup's tile of a gradient. */
const GRADIENT_TILE = 32;

const ONE_GATED = 'gate and up for more than one factor';

/** Slices that a workgroup takes at once, each with 64 threads: enough for as many as there are. */
const groupsFor = (slices: number): number => (slices > 2 ? 4 : slices);

/** Size in f32 values of the `scratch` of `loraProject`. */
export const LORA_SCRATCH = WORKGROUPS * TILE * TILE_RANK;

/**
 * The depth of a slice for products of these depths and numbers of tiles, each of which there are `times` of; a
 * function of the shapes alone, so that sums have the same order everywhere.
 */
export function sliceDepth(parts: readonly { depth: number; tiles: number }[], times = 1): number {
  let longest = 0;
  for (const { depth } of parts) {
    longest = Math.max(longest, depth);
  }
  const jobs = (slice: number) =>
    times * parts.reduce((sum, { depth, tiles }) => sum + tiles * ceilDiv(depth, slice), 0);
  let slice = 32 * ceilDiv(Math.max(MIN_SLICE, longest / MAX_SLICES), 32);
  while (slice < longest && jobs(slice) > WORKGROUPS) {
    slice += 32;
  }
  return slice;
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

/** Gives the slices of each part a place in the scratch; returns the values used. Throws Error if it is too small. */
function placeSlices(
  parts: readonly { count: number; slices: number; partial_at: number }[],
  scratch: BufferView,
): number {
  let used = 0;
  for (const part of parts) {
    part.partial_at = used;
    used += part.slices > 1 ? part.count * part.slices : 0;
  }
  if (4 * used > scratch.size) {
    throw new Error(`scratch of ${scratch.size} bytes, ${4 * used} needed`);
  }
  return used;
}

/** Masks x, per part by its module's key. */
export interface LoraDropout extends Dropout {
  /** `moduleKey` of each part's module. */
  moduleKeys: readonly number[];
}

/** Its constants and parameters, as the kernels take them. */
export const masking = (dropout: Dropout | undefined) => ({
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

/** Bytes that `loraProject` reads, of inputs that are shared once, and writes. */
function projectedBytes(rows: number, parts: readonly Projected[]): number {
  const inputs = new Map(parts.map(({ x, depth }) => [`${x.buffer.id} ${x.offset}`, depth]));
  const perRow = [...inputs.values(), ...parts.map(({ rank }) => rank)];
  const weights = parts.reduce((sum, { rank, depth }) => sum + rank * depth, 0);
  return 4 * perRow.reduce((sum, values) => sum + rows * values, weights);
}

/**
 * out = alpha·x·wᵀ for up to three factors: u = s·x·Aᵀ and, with `wByRank`, v = s·dy·B. All w must be in one
 * buffer, all outs in another. `dropout` masks x. With `gated`, a single factor's x is made first, and stored, except
 * that passes of many rows need not where it is `unstored`. `scratch` holds LORA_SCRATCH values.
 */
export function loraProject(
  stream: Stream,
  call: {
    parts: readonly Projected[];
    rows: number;
    wByRank: boolean;
    dropout?: LoraDropout | undefined;
    gated?: Gated | undefined;
    unstored?: boolean | undefined;
    scratch: BufferView;
  },
): void {
  const { rows, scratch, dropout, gated, unstored = false } = call;
  if (gated && call.parts.length > 1) {
    throw new Error(ONE_GATED);
  }
  const [w, out] = [spanOf(call.parts.map((part) => part.w)), spanOf(call.parts.map((part) => part.out))];
  // Loops, and literals without spreads: this runs for a fifth of a step's dispatches.
  const parts = call.parts.map(({ depth, rank, alpha }, i) => ({
    depth,
    rank,
    alpha,
    count: rows * rank,
    tiles: ceilDiv(rank, TILE_RANK),
    slices: 1,
    w_at: w.at[i]! / 16,
    out_at: out.at[i]! / 4,
    partial_at: 0,
  }));
  const rowTiles = ceilDiv(rows, TILE);
  const slice = sliceDepth(parts, rowTiles);
  let [most, tiles, work] = [0, 0, 0];
  for (const part of parts) {
    part.slices = ceilDiv(part.depth, slice);
    most = Math.max(most, part.slices);
    tiles += part.tiles;
    work += 2 * rows * part.depth * part.rank;
  }
  const whole = most > 1 && ceilDiv(rows, WHOLE_ROWS) * tiles >= ENOUGH_WORKGROUPS;
  const used = whole ? 0 : placeSlices(parts, scratch);
  const xs = three(call.parts.map((part) => part.x));
  const mask = masking(dropout);
  const [key0 = 0, key1 = 0, key2 = 0] = dropout?.moduleKeys ?? [];
  const dispatch = {
    parts,
    params: {
      ...{ rows, slice_depth: slice, ...mask.params },
      ...{ module_key0: key0, module_key1: key1, module_key2: key2 },
    },
    work,
  };
  const constants = { W_BY_RANK: Number(call.wByRank), ...mask.constants };
  if (whole) {
    const sources = gated ? [gated.gate, gated.up, gated.up] : xs;
    // Absent operands are bound to others and never touched.
    const stored = !!gated && !unstored;
    const saved = gated?.halves?.saved;
    const [place, other] = gated?.halves ? placesIn(scratch) : [scratch];
    const halves = other ? [saved ?? other] : [];
    // Of gate and up for x, and of what is stored or saved.
    const more = (gated ? 4 : 0) + (stored ? 4 : 0) + (saved ? 4 : 0);
    stream.dispatch(gated?.halves ? halvesKernel : wholeKernel, {
      ...dispatch,
      buffers: [
        ...[...sources, w.whole, dropout?.tokenKeys ?? sources[0]!, out.whole],
        ...[stored ? xs[0] : place, ...halves],
      ],
      bytes: () => projectedBytes(rows, call.parts) + more * rows * parts[0]!.depth,
      groups: [tiles, ceilDiv(rows, WHOLE_ROWS)],
      constants: {
        ...{ GROUPS: groupsFor(most), GATED: Number(!!gated), STORED: Number(stored) },
        ...(gated?.halves && { SAVED: Number(!!saved) }),
        ...constants,
      },
    });
    return;
  }
  if (gated) {
    if (gated.halves) {
      roundGated(stream, { ...gated, n: rows * call.parts[0]!.depth, scratch });
    }
    swiglu(stream, { ...gated, out: xs[0], n: rows * call.parts[0]!.depth });
  }
  stream.dispatch(projectKernel, {
    ...dispatch,
    // Absent operands are bound to x and never read.
    buffers: [...xs, w.whole, dropout?.tokenKeys ?? xs[0], out.whole, scratch],
    bytes: () => 4 * used + projectedBytes(rows, call.parts),
    groups: [parts.reduce((sum, part) => sum + part.tiles * part.slices, 0), rowTiles],
    constants,
  });
  addUp(stream, { partial: scratch, out: out.whole, parts, accumulate: false });
}

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
