import { type Projection, PROJECTIONS } from '../formats/decoder-weights.ts';
import type { KernelPlan } from '../gpu/autotune/kernel-selection.ts';
import { nf4Matmul, nf4MatmulGrad } from '../gpu/kernels/linear/nf4.ts';
import { moduleKey } from '../gpu/kernels/lora/dropout-mask.ts';
import { loraInputGrad } from '../gpu/kernels/lora/input-grad.ts';
import { type Gated, loraGradient, loraProject } from '../gpu/kernels/lora/lora.ts';
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
function adapted<T extends { module: LoraLinear }>(parts: readonly T[]): (T & { pair: LoraPair })[] {
  return parts.flatMap((part) => (part.module.pair ? [{ ...part, pair: part.module.pair }] : []));
}

const keyOf = ({ layer, projection }: LoraLinear): number =>
  moduleKey(layer, PROJECTIONS.indexOf(projection));

/** The dropout masks of these modules' inputs; undefined without dropout. */
function masks({ acts, dropout }: LinearContext, parts: readonly { module: LoraLinear }[]) {
  if (dropout === 0) {
    return undefined;
  }
  const moduleKeys = parts.map(({ module }) => keyOf(module));
  return { tokenKeys: view(acts.buffers.tokenKeys), rate: dropout, moduleKeys };
}

/**
 * u = scaling·drop(x)·Aᵀ of modules that share their input, stored in the activations for the backward pass. With
 * `gated`, a single module's x becomes silu(gate)∘up first, whether it is adapted or not.
 */
export function loraForward(
  ctx: LinearContext,
  x: BufferView,
  modules: readonly LoraLinear[],
  gated?: Gated,
): void {
  const { stream, acts, rows } = ctx;
  const pairs = adapted(modules.map((module) => ({ module })));
  if (pairs.length === 0) {
    if (gated) {
      swiglu(stream, { ...gated, out: x, n: rows * modules[0]!.linear.weight.depth });
    }
    return;
  }
  const parts = pairs.map(({ module, pair: { A, module: m } }) => ({
    ...{ x, w: A, out: acts.loraOut(module.layer, module.projection) },
    ...{ depth: m.inFeatures, rank: m.r, alpha: m.scaling },
  }));
  const call = { rows, wByRank: false, dropout: masks(ctx, pairs), gated, scratch: acts.scratch };
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
  const ranks = parts.map(({ module }) => module.pair?.module.r ?? 0);
  const shared = { scaled: false, packed: false, rank: Math.max(...ranks) };
  const inScratch = { rowScales: view(acts.buffers.rowScales), scratch: acts.scratch, shared };
  for (const { module, ...io } of parts) {
    const { pair, linear, layer, projection } = module;
    const lora = pair && {
      activations: acts.loraOut(layer, projection),
      matrix: pair.B,
      rank: pair.module.r,
    };
    const { weight, bias } = linear;
    nf4Matmul(stream, { x, ...io, weight, bias, rows, lora, ...inScratch }, products?.forward(weight));
  }
}

/**
 * LoRA gradients of modules that share their input: stores v = scaling·dy·B in the activations; dB += dyᵀ·u; dA +=
 * vᵀ·drop(x). Requires u as loraForward left it. A single module's x may be given by gate and up.
 */
export function loraBackward(
  ctx: LinearContext,
  x: BufferView | Gated,
  parts: readonly { module: LoraLinear; dy: BufferView }[],
): void {
  const { stream, acts, rows } = ctx;
  const pairs = adapted(parts);
  if (pairs.length === 0) {
    return;
  }
  const v = pairs.map(({ module, dy, pair: { B, module: m } }) => ({
    ...{ x: dy, w: B, out: acts.loraGrad(module.projection) },
    ...{ depth: m.outFeatures, rank: m.r, alpha: m.scaling },
  }));
  loraProject(stream, { parts: v, rows, wByRank: true, scratch: acts.scratch });
  const gradients = pairs.map(({ module, dy, pair: { dA, dB, module: m } }) => ({
    ...{ dy, u: acts.loraOut(module.layer, module.projection), v: acts.loraGrad(module.projection) },
    ...{ dA, dB, width: m.outFeatures, rank: m.r },
  }));
  const depth = pairs[0]!.pair.module.inFeatures;
  loraGradient(stream, { parts: gradients, x, depth, tokens: rows, dropout: masks(ctx, pairs) });
}

/** dx (+)= dy·W + drop'(v·A). Requires v as loraBackward left it. */
export function linearInputGrad(
  ctx: LinearContext,
  module: LoraLinear,
  io: { dy: BufferView; dx: BufferView; accumulate: boolean },
): void {
  const { stream, acts, rows, products, dropout } = ctx;
  const { pair, linear } = module;
  const { weight } = linear;
  const v = acts.loraGrad(module.projection);
  const inside = pair && dropout === 0 ? { activations: v, matrix: pair.A, rank: pair.module.r } : undefined;
  const inScratch = { rowScales: view(acts.buffers.rowScales), scratch: acts.scratch };
  nf4MatmulGrad(stream, { ...io, weight, rows, lora: inside, ...inScratch }, products?.gradient(weight));
  if (!pair || dropout === 0) {
    return;
  }
  loraInputGrad(stream, {
    ...{ v, A: pair.A, dx: io.dx, moduleKey: keyOf(module) },
    ...{ rows, rank: pair.module.r, width: pair.module.inFeatures },
    ...{ tokenKeys: view(acts.buffers.tokenKeys), rate: dropout },
  });
}
