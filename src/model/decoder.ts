import type { DecoderConfig } from '../formats/decoder-config.ts';
import { attention } from '../gpu/kernels/attention.ts';
import { embeddingGather } from '../gpu/kernels/embedding.ts';
import { rmsnorm } from '../gpu/kernels/rmsnorm.ts';
import { rope } from '../gpu/kernels/rope.ts';
import { swiglu } from '../gpu/kernels/swiglu.ts';
import { view, type View } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import type { DecoderWeights } from './weights.ts';
import { linearForward, type LinearContext, type LoraLinear } from './linear.ts';
import type { Lora } from './lora.ts';
import type { Projection } from '../formats/decoder-weights.ts';
import type { Workspace } from './workspace.ts';

/** What a forward or backward pass works with: base, adapter, activations, and how many tokens there are. */
export interface PassContext extends LinearContext {
  stream: Stream;
  base: DecoderWeights;
  lora: Lora | undefined;
  ws: Workspace;
  /** Tokens of this pass, at most the workspace's. */
  rows: number;
  dropout: number;
  /** Replaces attention over the pass's own keys: generation attends to its cache. */
  attend?: (layer: number, q: View, k: View, v: View, out: View) => void;
}

/** One projection of one layer with what belongs to it. */
export function moduleOf({ base, lora }: PassContext, layer: number, projection: Projection): LoraLinear {
  return {
    layer,
    projection,
    linear: base.layers[layer]!.linear[projection],
    pair: lora?.layers[layer]?.pairs[projection],
  };
}

/** The attention geometry that the kernels take. */
export function heads(c: DecoderConfig, tokens: number) {
  const { heads, kvHeads, headDim } = c;
  return { tokens, heads, kvHeads, headDim, scale: headDim ** -0.5 };
}

/** x(0) [rows, hidden] = the embeddings of the pass's ids. */
export function embed({ stream, base, ws, rows }: PassContext): void {
  const { parts, format, width } = base.embedding;
  for (const { view: table, begin, count } of parts)
    embeddingGather(stream, {
      ids: view(ws.buffers.ids),
      table,
      format,
      rowBegin: begin,
      rowCount: count,
      width,
      y: ws.x(0),
      tokens: rows,
    });
}

/** RMSNorm over the hidden width. */
export function norm({ stream, base, rows }: PassContext, x: View, weight: View, y: View): void {
  const { hiddenSize, rmsNormEps } = base.config;
  rmsnorm(stream, { x, weight, y, rows, width: hiddenSize, eps: rmsNormEps });
}

/**
 * normed = norm(x(layer)); then q, k, v with their norms (Qwen3) and rotation, in the first wide buffer. With
 * `raw`, q and k before their norm go there instead: their backward pass needs them.
 */
export function queryKeyValue(ctx: PassContext, layer: number): { q: View; k: View; v: View } {
  const { stream, base, ws, rows } = ctx;
  const { config: c, layers } = base;
  const { inputNorm, qNorm, kNorm } = layers[layer]!;
  const normed = view(ws.buffers.normed);
  norm(ctx, ws.x(layer), inputNorm, normed);
  const out = ws.qkv(ws.buffers.wideA);
  for (const [projection, y] of [
    ['q_proj', out.q],
    ['k_proj', out.k],
    ['v_proj', out.v],
  ] as const)
    linearForward(ctx, moduleOf(ctx, layer, projection), { x: normed, y });
  const turned = { q: out.q, k: out.k };
  if (qNorm && kNorm) {
    // The unnormed q and k stay in wideA; the normed ones go on from wideC.
    const normedQk = ws.qkv(ws.buffers.wideC);
    const shape = { width: c.headDim, eps: c.rmsNormEps };
    rmsnorm(stream, { x: out.q, weight: qNorm, y: normedQk.q, rows: rows * c.heads, ...shape });
    rmsnorm(stream, { x: out.k, weight: kNorm, y: normedQk.k, rows: rows * c.kvHeads, ...shape });
    turned.q = normedQk.q;
    turned.k = normedQk.k;
  }
  const shape = { positions: view(ws.buffers.positions), table: base.rope, tokens: rows, headDim: c.headDim };
  rope(stream, { x: turned.q, heads: c.heads, inverse: false, ...shape });
  rope(stream, { x: turned.k, heads: c.kvHeads, inverse: false, ...shape });
  return { ...turned, v: out.v };
}

/** middle = x(layer) + o_proj(attended). */
export function attentionOutput(ctx: PassContext, layer: number): void {
  const { ws } = ctx;
  const io = { x: ws.attended(layer), y: view(ws.buffers.middle), residual: ws.x(layer) };
  linearForward(ctx, moduleOf(ctx, layer, 'o_proj'), io);
}

/** normed = norm(middle); gate → wideA, up → wideB, silu(gate)∘up → wideC. */
export function gateUp(ctx: PassContext, layer: number): void {
  const { stream, base, ws, rows } = ctx;
  const normed = view(ws.buffers.normed);
  norm(ctx, view(ws.buffers.middle), base.layers[layer]!.postNorm, normed);
  const [gate, up, out] = [view(ws.buffers.wideA), view(ws.buffers.wideB), view(ws.buffers.wideC)];
  linearForward(ctx, moduleOf(ctx, layer, 'gate_proj'), { x: normed, y: gate });
  linearForward(ctx, moduleOf(ctx, layer, 'up_proj'), { x: normed, y: up });
  swiglu(stream, { gate, up, out, n: rows * base.config.intermediateSize });
}

function forwardLayer(ctx: PassContext, layer: number): void {
  const { stream, base, ws, rows } = ctx;
  const { q, k, v } = queryKeyValue(ctx, layer);
  const o = ws.attended(layer);
  if (ctx.attend) ctx.attend(layer, q, k, v, o);
  else {
    const ranges = view(ws.buffers.ranges);
    attention(stream, { q, k, v, o, stats: ws.stats(layer), ranges, ...heads(base.config, rows) });
  }
  attentionOutput(ctx, layer);
  gateUp(ctx, layer);
  const io = { x: view(ws.buffers.wideC), y: ws.x(layer + 1), residual: view(ws.buffers.middle) };
  linearForward(ctx, moduleOf(ctx, layer, 'down_proj'), io);
}

/** The whole stack: normed [rows, hidden] = norm(x(layers)), ready for the head. Input: the uploaded batch. */
export async function forward(ctx: PassContext): Promise<void> {
  const { base, ws, stream } = ctx;
  embed(ctx);
  for (let layer = 0; layer < base.config.layers; layer++) {
    forwardLayer(ctx, layer);
    await stream.breathe();
  }
  norm(ctx, ws.x(base.config.layers), base.finalNorm, view(ws.buffers.normed));
}
