import { type Projection, PROJECTIONS } from '../formats/decoder-weights.ts';
import type { KernelPlan } from '../gpu/autotune/kernel-selection.ts';
import { type Gated, roundGated } from '../gpu/kernels/gated-halves.ts';
import { nf4MatmulGrads, nf4Matmuls } from '../gpu/kernels/linear/nf4.ts';
import { moduleKey } from '../gpu/kernels/lora/dropout-mask.ts';
import { GATED_RANKS, loraGatedGradient } from '../gpu/kernels/lora/gated-gradient.ts';
import { loraGradient } from '../gpu/kernels/lora/gradient.ts';
import { loraInputGrad } from '../gpu/kernels/lora/input-grad.ts';
import { loraProject } from '../gpu/kernels/lora/project.ts';
import { swiglu } from '../gpu/kernels/swiglu.ts';
import { type BufferView, view } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import type { Activations } from './activations.ts';
import type { LoraPair } from './lora.ts';
import type { Linear } from './weights.ts';

/** The context of a linear layer and its LoRA pair. */
export interface LinearContext {
  stream: Stream;
  acts: Activations;
  rows: number;
  /** The variants of the products; the defaults if undefined. */
  products?: KernelPlan | undefined;
  /** Rate of LoRA dropout; 0 in evaluation and generation. */
  dropout: number;
}

export interface LoraLinear {
  layer: number;
  projection: Projection;
  linear: Linear;
  pair: LoraPair | undefined;
}

/** The adapted ones among modules that share an input. */
const adapted = <T extends { module: LoraLinear }>(parts: readonly T[]) =>
  parts.filter((part): part is T & { module: { pair: LoraPair } } => part.module.pair !== undefined);

const keyOf = ({ layer, projection }: LoraLinear): number =>
  moduleKey(layer, PROJECTIONS.indexOf(projection));

/** What the dropout masks of a pass depend on, besides the modules; undefined without dropout. */
const mask = ({ acts, dropout }: LinearContext) =>
  dropout === 0 ? undefined : { tokenKeys: view(acts.buffers.tokenKeys), rate: dropout };

/** The dropout masks of these modules' inputs. */
function masks(ctx: LinearContext, parts: readonly { module: LoraLinear }[]) {
  const of = mask(ctx);
  return of && { ...of, moduleKeys: parts.map(({ module }) => keyOf(module)) };
}

/**
 * u = scaling·drop(x)·Aᵀ of modules that share their input, stored in the activations for the backward pass. With
 * `gated`, a single module's x becomes silu(gate)∘up first, whether it is adapted or not, and need not where only u is
 * wanted (`unstored`).
 */
export function loraForward(
  ctx: LinearContext,
  x: BufferView,
  modules: readonly LoraLinear[],
  gated?: Gated,
  unstored = false,
): void {
  const { stream, acts, rows } = ctx;
  const pairs = adapted(modules.map((module) => ({ module })));
  if (pairs.length === 0) {
    if (gated && !unstored) {
      const n = rows * modules[0]!.linear.weight.depth;
      if (gated.halves) {
        roundGated(stream, { ...gated, n, scratch: acts.scratch });
      }
      swiglu(stream, { ...gated, out: x, n });
    }
    return;
  }
  const parts = pairs.map(
    ({
      module,
      module: {
        pair: { A, module: m },
      },
    }) => ({
      x,
      w: A,
      out: acts.loraOut(module.layer, module.projection),
      depth: m.inFeatures,
      rank: m.r,
      alpha: m.scaling,
    }),
  );
  const call = { rows, wByRank: false, dropout: masks(ctx, pairs), gated, unstored, scratch: acts.scratch };
  loraProject(stream, { parts, ...call });
}

/**
 * y [T, N] = x·Wᵀ + u·Bᵀ + bias + residual, for modules that share their input x [T, K]. With `gated`, a single
 * module's x becomes silu(gate)∘up first.
 */
export function linearForward(
  ctx: LinearContext,
  x: BufferView,
  parts: readonly { module: LoraLinear; y: BufferView; residual?: BufferView }[],
  gated?: Gated,
): void {
  const { stream, acts, rows, products } = ctx;
  loraForward(
    ctx,
    x,
    parts.map(({ module }) => module),
    gated,
  );
  // The precisions above f32 scale and pack the rows of x once for all modules.
  const shared = { scaled: false };
  const [rowScales, { scratch }] = [acts.rowScales(0), acts];
  const calls = parts.map(({ module, y, residual }) => {
    const { pair, linear, layer, projection } = module;
    const lora = pair && {
      activations: acts.loraOut(layer, projection),
      matrix: pair.B,
      rank: pair.module.r,
    };
    const { weight, bias } = linear;
    const call = { x, y, residual, weight, bias, rows, lora, rowScales, scratch, shared };
    return { call, variant: products?.forward(weight) };
  });
  nf4Matmuls(stream, calls);
}

/** Modules with the gradients of their outputs. */
export type OutputGradients = readonly { module: LoraLinear; dy: BufferView }[];

/** v = scaling·dy·B of modules that share their input, stored in the activations; up to three. */
export function loraOutputGrad({ stream, acts, rows }: LinearContext, parts: OutputGradients): void {
  const factors = adapted(parts).map(
    ({
      module,
      dy,
      module: {
        pair: { B, module: m },
      },
    }) => ({
      x: dy,
      w: B,
      out: acts.loraGrad(module.projection),
      depth: m.outFeatures,
      rank: m.r,
      alpha: m.scaling,
    }),
  );
  if (factors.length > 0) {
    loraProject(stream, { parts: factors, rows, wByRank: true, scratch: acts.scratch });
  }
}

/**
 * dB += dyᵀ·u of up to three modules, and dA += vᵀ·drop(x) of up to three that share the input x. Requires u as
 * loraForward left it, and v as loraOutputGrad did. A single module's x may be given by gate and up.
 */
export function loraGradients(
  ctx: LinearContext,
  { B, A, x }: { B: OutputGradients; A: readonly { module: LoraLinear }[]; x: BufferView | Gated },
): void {
  const { stream, acts, rows } = ctx;
  const readers = adapted(A);
  const ofB = adapted(B).map(
    ({
      module,
      dy,
      module: {
        pair: { dB, module: m },
      },
    }) => ({
      dy,
      u: acts.loraOut(module.layer, module.projection),
      dB,
      width: m.outFeatures,
      rank: m.r,
    }),
  );
  const ofA = readers.map(
    ({
      module,
      module: {
        pair: { dA, module: m },
      },
    }) => ({
      v: acts.loraGrad(module.projection),
      dA,
      rank: m.r,
      moduleKey: keyOf(module),
    }),
  );
  if (ofA.length + ofB.length > 0) {
    const depth = A[0]!.module.linear.weight.depth;
    loraGradient(stream, { B: ofB, A: ofA, x, depth, tokens: rows, dropout: mask(ctx) });
  }
}

/** Both of modules that share their input. */
export function loraBackward(ctx: LinearContext, x: BufferView | Gated, parts: OutputGradients): void {
  loraOutputGrad(ctx, parts);
  loraGradients(ctx, { B: parts, A: parts, x });
}

/** The modules around silu(gate)∘up: `down` reads it. */
type GatedModules = Record<'gate' | 'up' | 'down', LoraLinear>;

/** Whether `gatedBackward` can take LoRA's gradients: there are some, of few enough ranks. */
export function gathers({ gate, up, down }: GatedModules): boolean {
  const ranks = [gate, up, down].flatMap(({ pair }) => pair?.module.r ?? []);
  return ranks.length > 0 && Math.max(...ranks) <= GATED_RANKS;
}

/**
 * Replaces gate and up by their gradients, given that of their product, and in the same reading adds dA of down and dB
 * of gate and up. Requires u as loraForward left it, and down's v.
 */
export function gatedBackward(
  ctx: LinearContext,
  { gate, up, down }: GatedModules,
  io: Gated & { dout: BufferView },
): void {
  const { stream, acts, rows } = ctx;
  const making = ({ pair, layer, projection }: LoraLinear) =>
    pair && { u: acts.loraOut(layer, projection), dB: pair.dB, rank: pair.module.r };
  const reads = down.pair && {
    ...{ v: acts.loraGrad(down.projection), dA: down.pair.dA },
    ...{ rank: down.pair.module.r, moduleKey: keyOf(down) },
  };
  loraGatedGradient(stream, {
    ...{ ...io, reads, makes: { gate: making(gate), up: making(up) } },
    ...{ width: down.linear.weight.depth, tokens: rows, dropout: mask(ctx) },
  });
}

/** dx = the sum of dy·W + drop'(v·A) of modules that share their input; up to three. Requires v as loraBackward left it. */
export function linearInputGrads(ctx: LinearContext, parts: OutputGradients, dx: BufferView): void {
  const { stream, acts, rows, products, dropout } = ctx;
  const calls = parts.map(({ module: { pair, linear, projection }, dy }, i) => {
    const { weight } = linear;
    const activations = acts.loraGrad(projection);
    const lora = pair && dropout === 0 ? { activations, matrix: pair.A, rank: pair.module.r } : undefined;
    // Each has rows of its own to scale.
    const rowScales = acts.rowScales(i);
    const call = { dy, dx, accumulate: i > 0, weight, rows, lora, rowScales, scratch: acts.scratch };
    return { call, variant: products?.gradient(weight) };
  });
  nf4MatmulGrads(stream, calls, (i) => {
    const { module } = parts[i]!;
    if (!module.pair || dropout === 0) {
      return;
    }
    const { A, module: m } = module.pair;
    loraInputGrad(stream, {
      ...{ v: acts.loraGrad(module.projection), A, dx, moduleKey: keyOf(module) },
      ...{ rows, rank: m.r, width: m.inFeatures },
      ...{ tokenKeys: view(acts.buffers.tokenKeys), rate: dropout },
    });
  });
}
