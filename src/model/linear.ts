import { gemm } from '../gpu/kernels/gemm.ts';
import { dropoutApply } from '../gpu/kernels/dropout.ts';
import { nf4Matmul, nf4MatmulGrad } from '../gpu/kernels/nf4.ts';
import { view, type View } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
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

/** u = scaling·drop(x)·Aᵀ into the workspace, where the backward pass finds it. */
export function loraForward(ctx: LinearContext, module: LoraLinear, x: View): View {
  const { A, module: m } = module.pair!;
  const u = ctx.ws.loraOut(module.layer, module.projection);
  const a = loraInput(ctx, module, x);
  const shape = { rows: ctx.rows, columns: m.r, depth: m.inFeatures };
  gemm(ctx.stream, { a, b: A, transposeB: true, c: u, ...shape, alpha: m.scaling });
  return u;
}

/** y [rows, out] = x·Wᵀ + u·Bᵀ + bias + residual. */
export function linearForward(
  ctx: LinearContext,
  module: LoraLinear,
  io: { x: View; y: View; residual?: View },
): void {
  const { pair, linear } = module;
  const lora = pair && {
    activations: loraForward(ctx, module, io.x),
    matrix: pair.B,
    rank: pair.module.r,
  };
  nf4Matmul(ctx.stream, { ...io, weight: linear.weight, bias: linear.bias, rows: ctx.rows, lora });
}

/**
 * LoRA gradients of one projection: v = scaling·dy·B into the workspace; dB += dyᵀ·u; dA += vᵀ·drop(x). Needs u as
 * loraForward left it.
 */
export function loraBackward(ctx: LinearContext, module: LoraLinear, io: { x: View; dy: View }): void {
  if (!module.pair) return;
  const { stream, ws, rows } = ctx;
  const { B, dA, dB, module: m } = module.pair;
  const u = ws.loraOut(module.layer, module.projection);
  const v = view(ws.buffers.loraGrad);
  gemm(stream, { a: io.dy, b: B, c: v, rows, columns: m.r, depth: m.outFeatures, alpha: m.scaling });
  const shapeB = { rows: m.outFeatures, columns: m.r, depth: rows };
  gemm(stream, { a: io.dy, transposeA: true, b: u, c: dB, ...shapeB, accumulate: true });
  const x = loraInput(ctx, module, io.x);
  const shapeA = { rows: m.r, columns: m.inFeatures, depth: rows };
  gemm(stream, { a: v, transposeA: true, b: x, c: dA, ...shapeA, accumulate: true });
}

/** dx (+)= dy·W + drop'(v·A). Needs v as loraBackward left it. */
export function linearInputGrad(
  ctx: LinearContext,
  module: LoraLinear,
  io: { dy: View; dx: View; accumulate: boolean },
): void {
  const { stream, ws, rows, dropout } = ctx;
  const { pair, linear } = module;
  const v = view(ws.buffers.loraGrad);
  const inside = pair && dropout === 0 ? { activations: v, matrix: pair.A, rank: pair.module.r } : undefined;
  nf4MatmulGrad(stream, { ...io, weight: linear.weight, rows, lora: inside });
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
