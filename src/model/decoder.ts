import type { DecoderConfig } from '../formats/decoder-config.ts';
import type { Projection } from '../formats/decoder-weights.ts';
import type { KeyShares } from '../gpu/kernels/attention/attention.ts';
import { attention } from '../gpu/kernels/attention/index.ts';
import { embeddingGather } from '../gpu/kernels/embedding.ts';
import { rmsnorm } from '../gpu/kernels/rmsnorm.ts';
import { rope } from '../gpu/kernels/rope.ts';
import { type BufferView, view } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import type { Activations } from './activations.ts';
import { type LinearContext, linearForward, type LoraLinear } from './linear.ts';
import type { Lora } from './lora.ts';
import type { DecoderWeights } from './weights.ts';

/** What a forward or backward pass runs on. T = rows, C = hidden size. */
export interface PassContext extends LinearContext {
  stream: Stream;
  base: DecoderWeights;
  lora: Lora | undefined;
  acts: Activations;
  /** Tokens of this pass, at most `acts.shape.tokens`. */
  rows: number;
  dropout: number;
  /** Replaces attention over the pass's own keys: generation attends to its cache. */
  attend?: (layer: number, q: BufferView, k: BufferView, v: BufferView, out: BufferView) => void;
}

/** One projection of one layer, with its weight and LoRA pair. */
export function moduleOf({ base, lora }: PassContext, layer: number, projection: Projection): LoraLinear {
  return {
    layer,
    projection,
    linear: base.layers[layer]!.linear[projection],
    pair: lora?.layers[layer]?.pairs[projection],
  };
}

/** The attention geometry, as the kernels take it. */
export function heads(c: DecoderConfig, tokens: number) {
  const { heads, kvHeads, headDim } = c;
  return { tokens, heads, kvHeads, headDim, scale: headDim ** -0.5 };
}

/** x(0) [T, C] = the embeddings of the pass's ids. */
function embed({ stream, base, acts, rows }: PassContext): void {
  const { parts, format, width } = base.embedding;
  for (const { view: table, begin, count } of parts) {
    embeddingGather(stream, {
      ids: view(acts.buffers.ids),
      table,
      format,
      rowBegin: begin,
      rowCount: count,
      width,
      y: acts.x(0),
      tokens: rows,
    });
  }
}

/** RMSNorm over the hidden size. */
export function norm(
  { stream, base, rows, products }: PassContext,
  x: BufferView,
  weight: BufferView,
  y: BufferView,
): void {
  const { hiddenSize, rmsNormEps } = base.config;
  rmsnorm(stream, { x, weight, y, rows, width: hiddenSize, eps: rmsNormEps }, products?.norms);
}

/** normed = norm(x(layer)): the input of q, k and v. */
export function attentionInput(ctx: PassContext, layer: number): void {
  norm(ctx, ctx.acts.x(layer), ctx.base.layers[layer]!.inputNorm, view(ctx.acts.buffers.normed));
}

/** q, k and v of a layer from `attentionInput`, normed (Qwen3) and rotated. */
export function queryKeyValue(
  ctx: PassContext,
  layer: number,
): { q: BufferView; k: BufferView; v: BufferView } {
  const { acts } = ctx;
  const out = acts.projected(layer);
  linearForward(ctx, view(acts.buffers.normed), [
    { module: moduleOf(ctx, layer, 'q_proj'), y: out.q },
    { module: moduleOf(ctx, layer, 'k_proj'), y: out.k },
    { module: moduleOf(ctx, layer, 'v_proj'), y: out.v },
  ]);
  if (!ctx.base.layers[layer]!.qNorm) {
    applyRope(ctx, out, false);
  }
  return rotated(ctx, layer);
}

/** q, k and v of a layer as attention takes them, from the saved output of `queryKeyValue`. */
export function rotated(ctx: PassContext, layer: number): { q: BufferView; k: BufferView; v: BufferView } {
  const { stream, base, acts, rows, products } = ctx;
  const { config: c, layers } = base;
  const { qNorm, kNorm } = layers[layer]!;
  const out = acts.projected(layer);
  if (!qNorm || !kNorm) {
    return out;
  }
  // The backward pass needs q and k before their norms too, so the normed ones go to scratchC.
  const normed = acts.qkv(acts.buffers.scratchC);
  const shape = { width: c.headDim, eps: c.rmsNormEps };
  rmsnorm(stream, { x: out.q, weight: qNorm, y: normed.q, rows: rows * c.heads, ...shape }, products?.norms);
  rmsnorm(
    stream,
    { x: out.k, weight: kNorm, y: normed.k, rows: rows * c.kvHeads, ...shape },
    products?.norms,
  );
  applyRope(ctx, normed, false);
  return { q: normed.q, k: normed.k, v: out.v };
}

/** Rotates q and k by their positions, or back; adds up what attention's gradient left in shares first. */
export function applyRope(
  ctx: PassContext,
  qkv: { q: BufferView; k: BufferView; v: BufferView },
  inverse: boolean,
  shares?: KeyShares,
): void {
  const { stream, base, acts, rows } = ctx;
  const { heads, kvHeads, headDim } = base.config;
  const shape = { tokens: rows, heads, kvHeads, headDim };
  const positions = view(acts.buffers.positions);
  rope(stream, { ...qkv, ...shape, positions, table: base.rope, inverse, shares });
}

/** attnOut(layer) = attention within each document, with its statistics. */
export function attend(
  { stream, base, acts, rows, products }: PassContext,
  layer: number,
  qkv: ReturnType<typeof rotated>,
): void {
  const ranges = view(acts.buffers.ranges);
  const out = { o: acts.attnOut(layer), stats: acts.stats(layer) };
  const call = { ...qkv, ...out, ranges, scratch: acts.scratch, ...heads(base.config, rows) };
  attention(stream, call, products?.attention('attention', call));
}

/** postAttention(layer) = x(layer) + o_proj(attnOut). */
export function attentionOutput(ctx: PassContext, layer: number): void {
  const { acts } = ctx;
  const module = moduleOf(ctx, layer, 'o_proj');
  linearForward(ctx, acts.attnOut(layer), [
    { module, y: acts.postAttention(layer), residual: acts.x(layer) },
  ]);
}

/** normed = norm(postAttention(layer)): what gate and up are made of. */
export function mlpInput(ctx: PassContext, layer: number): void {
  norm(ctx, ctx.acts.postAttention(layer), ctx.base.layers[layer]!.postNorm, view(ctx.acts.buffers.normed));
}

/** gate and up of a layer from `mlpInput`. */
export function gateUp(ctx: PassContext, layer: number): void {
  const { acts } = ctx;
  const { gate, up } = acts.gated(layer);
  linearForward(ctx, view(acts.buffers.normed), [
    { module: moduleOf(ctx, layer, 'gate_proj'), y: gate },
    { module: moduleOf(ctx, layer, 'up_proj'), y: up },
  ]);
}

function forwardLayer(ctx: PassContext, layer: number): void {
  const { acts } = ctx;
  attentionInput(ctx, layer);
  const qkv = queryKeyValue(ctx, layer);
  if (ctx.attend) {
    ctx.attend(layer, qkv.q, qkv.k, qkv.v, acts.attnOut(layer));
  } else {
    attend(ctx, layer, qkv);
  }
  attentionOutput(ctx, layer);
  mlpInput(ctx, layer);
  gateUp(ctx, layer);
  const module = moduleOf(ctx, layer, 'down_proj');
  const part = { module, y: acts.x(layer + 1), residual: acts.postAttention(layer) };
  // scratchC = silu(gate)∘up.
  linearForward(ctx, view(acts.buffers.scratchC), [part], acts.gated(layer));
}

/**
 * The forward pass of the uploaded batch: normed [T, C] = norm(x(layers)), the input of the head. Rejects with the
 * stream signal's reason.
 */
export async function forward(ctx: PassContext): Promise<void> {
  const { base, acts, stream } = ctx;
  embed(ctx);
  for (let layer = 0; layer < base.config.layers; layer++) {
    forwardLayer(ctx, layer);
    await stream.throttle();
  }
  norm(ctx, acts.x(base.config.layers), base.finalNorm, view(acts.buffers.normed));
}
