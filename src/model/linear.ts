import { gemm } from '../gpu/kernels/gemm.ts';
import { dropoutApply } from '../gpu/kernels/dropout.ts';
import { loraGradient, loraProject } from '../gpu/kernels/lora.ts';
import { nf4Matmul, nf4MatmulGrad } from '../gpu/kernels/nf4.ts';
import { view, type View } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import type { Products } from '../gpu/tuning/products.ts';
import { moduleKey } from '../gpu/dropout.ts';
import type { LoraPair } from './lora.ts';
import { PROJECTIONS, type Projection } from '../formats/decoder-weights.ts';
import type { Linear } from './weights.ts';
import type { Workspace } from './workspace.ts';

/** What a linear layer with its LoRA pair needs to know of its surroundings. */
export interface LinearContext {
  stream: Stream;
  ws: Workspace;
  rows: number;
  /** The variants that compute the products; the defaults where there is no plan. */
  products?: Products | undefined;
  /** Rate of LoRA dropout; 0 in evaluation and generation. */
  dropout: number;
}

export interface LoraLinear {
  layer: number;
  projection: Projection;
  linear: Linear;
  pair: LoraPair | undefined;
}

/** The input of the LoRA path: x, or x with this module's dropout mask applied. */
function loraInput(
  { stream, ws, rows, dropout }: LinearContext,
  { layer, projection, linear }: LoraLinear,
  x: View,
): View {
  if (dropout === 0) return x;
  const y = view(ws.buffers.dropped);
  dropoutApply(stream, {
    x,
    y,
    tokenKeys: view(ws.buffers.tokenKeys),
    moduleKey: moduleKey(layer, PROJECTIONS.indexOf(projection)),
    tokens: rows,
    width: linear.weight.depth,
    rate: dropout,
    accumulate: false,
  });
  return y;
}

/** The adapted ones of modules that share an input, as they go through a kernel: all at once, unless dropout masks it. */
function batches<T extends { module: LoraLinear }>(
  { dropout }: LinearContext,
  parts: readonly T[],
): (T & { pair: LoraPair })[][] {
  const adapted = parts.flatMap((part) => (part.module.pair ? [{ ...part, pair: part.module.pair }] : []));
  if (adapted.length === 0) return [];
  return dropout === 0 ? [adapted] : adapted.map((part) => [part]);
}

/** u = scaling·drop(x)·Aᵀ of modules that share their input, into the workspace, where the backward pass finds it. */
export function loraForward(ctx: LinearContext, x: View, modules: readonly LoraLinear[]): void {
  const { stream, ws, rows } = ctx;
  for (const batch of batches(
    ctx,
    modules.map((module) => ({ module })),
  )) {
    const input = loraInput(ctx, batch[0]!.module, x);
    const parts = batch.map(({ module, pair: { A, module: m } }) => ({
      ...{ x: input, w: A, out: ws.loraOut(module.layer, module.projection) },
      ...{ depth: m.inFeatures, rank: m.r, alpha: m.scaling },
    }));
    loraProject(stream, { parts, rows, wByRank: false, scratch: ws.scratch });
  }
}

/** y [rows, out] = x·Wᵀ + u·Bᵀ + bias + residual for modules that share their input. */
export function linearForward(
  ctx: LinearContext,
  x: View,
  parts: readonly { module: LoraLinear; y: View; residual?: View }[],
): void {
  const { stream, ws, rows, products } = ctx;
  loraForward(
    ctx,
    x,
    parts.map(({ module }) => module),
  );
  for (const { module, ...io } of parts) {
    const { pair, linear, layer, projection } = module;
    const lora = pair && {
      activations: ws.loraOut(layer, projection),
      matrix: pair.B,
      rank: pair.module.r,
    };
    const { weight, bias } = linear;
    const rowScales = view(ws.buffers.rowScales);
    nf4Matmul(stream, { x, ...io, weight, bias, rows, lora, rowScales }, products?.forward(weight));
  }
}

/**
 * LoRA gradients of modules that share their input: v = scaling·dy·B into the workspace; dB += dyᵀ·u;
 * dA += vᵀ·drop(x). Needs u as loraForward left it.
 */
export function loraBackward(
  ctx: LinearContext,
  x: View,
  parts: readonly { module: LoraLinear; dy: View }[],
): void {
  const { stream, ws, rows } = ctx;
  const call = { tokens: rows, scratch: ws.scratch };
  for (const batch of batches(ctx, parts)) {
    const v = batch.map(({ module, dy, pair: { B, module: m } }) => ({
      ...{ x: dy, w: B, out: ws.loraGrad(module.projection) },
      ...{ depth: m.outFeatures, rank: m.r, alpha: m.scaling },
    }));
    loraProject(stream, { parts: v, rows, wByRank: true, scratch: ws.scratch });
    const dB = batch.map(({ module, dy, pair: { dB, module: m } }) => ({
      ...{ wide: dy, narrow: ws.loraOut(module.layer, module.projection), out: dB },
      ...{ width: m.outFeatures, rank: m.r },
    }));
    loraGradient(stream, { parts: dB, outByWidth: false, ...call });
    const input = loraInput(ctx, batch[0]!.module, x);
    const dA = batch.map(({ module, pair: { dA, module: m } }) => ({
      ...{ wide: input, narrow: ws.loraGrad(module.projection), out: dA },
      ...{ width: m.inFeatures, rank: m.r },
    }));
    loraGradient(stream, { parts: dA, outByWidth: true, ...call });
  }
}

/** dx (+)= dy·W + drop'(v·A). Needs v as loraBackward left it. */
export function linearInputGrad(
  ctx: LinearContext,
  module: LoraLinear,
  io: { dy: View; dx: View; accumulate: boolean },
): void {
  const { stream, ws, rows, products, dropout } = ctx;
  const { pair, linear } = module;
  const { weight } = linear;
  const v = ws.loraGrad(module.projection);
  const inside = pair && dropout === 0 ? { activations: v, matrix: pair.A, rank: pair.module.r } : undefined;
  const rowScales = view(ws.buffers.rowScales);
  nf4MatmulGrad(stream, { ...io, weight, rows, lora: inside, rowScales }, products?.gradient(weight));
  if (!pair || dropout === 0) return;
  const dropped = view(ws.buffers.dropped);
  const { r, inFeatures } = pair.module;
  gemm(stream, { a: v, b: pair.A, c: dropped, rows, columns: inFeatures, depth: r });
  dropoutApply(stream, {
    x: dropped,
    y: io.dx,
    tokenKeys: view(ws.buffers.tokenKeys),
    moduleKey: moduleKey(module.layer, PROJECTIONS.indexOf(module.projection)),
    tokens: rows,
    width: inFeatures,
    rate: dropout,
    accumulate: true,
  });
}
