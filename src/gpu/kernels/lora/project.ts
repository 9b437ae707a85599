// Reference: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.
import projectCode from '../../../../shaders/lora/lora_project.wgsl';
import wholeCode from '../../../../shaders/lora/lora_project_whole.wgsl';
import gateUp from '../../../../shaders/lora/project_gate_up_by_floats.wgsl';
import gateUpInHalves from '../../../../shaders/lora/project_gate_up_by_halves.wgsl';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { type BufferView, spanOf } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { type Gated, placesIn, roundGated } from '../gated-halves.ts';
import { PARTS } from '../shared/parts.ts';
import { sumParts } from '../shared/sum-slices.ts';
import { swiglu } from '../swiglu.ts';
import { type Dropout, masking } from './dropout.ts';
import { groupsFor, ONE_GATED, sliceDepth, three, TILE, TILE_RANK, WORKGROUPS } from './tiles.ts';

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

/** Rows of a workgroup that takes all slices, and workgroups from which passes have enough of them. */
const WHOLE_ROWS = 16;
const ENOUGH_WORKGROUPS = 32;
/** Size in f32 values of the `scratch` of `loraProject`. */
export const LORA_SCRATCH = WORKGROUPS * TILE * TILE_RANK;

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
