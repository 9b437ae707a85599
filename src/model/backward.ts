import type { Projection } from '../formats/decoder-weights.ts';
import { attentionDelta, type KeyShares } from '../gpu/kernels/attention/attention.ts';
import { attentionBackwardKV, attentionBackwardQ } from '../gpu/kernels/attention/index.ts';
import { rmsnormBackward } from '../gpu/kernels/rmsnorm.ts';
import { swigluBackward } from '../gpu/kernels/swiglu.ts';
import { type BufferView, view } from '../gpu/memory.ts';
import { SAVED } from './activation-checkpointing.ts';
import {
  applyRope,
  attend,
  attentionInput,
  attentionOutput,
  gateUp,
  heads,
  mlpInput,
  moduleOf,
  type PassContext,
  queryKeyValue,
  rotated,
} from './decoder.ts';
import { linearInputGrad, loraBackward, loraForward } from './linear.ts';

/** grad = (or, with `accumulate`, +=) the gradient with respect to `x` of its norm, given `dy`. */
function throughNorm(
  { stream, base, acts, rows, products }: PassContext,
  x: BufferView,
  weight: BufferView,
  dy: BufferView,
  accumulate: boolean,
) {
  const { hiddenSize, rmsNormEps } = base.config;
  const dx = view(acts.buffers.grad);
  const call = { x, weight, dy, dx, rows, width: hiddenSize, eps: rmsNormEps, accumulate };
  rmsnormBackward(stream, call, products?.norms);
}

/**
 * LoRA gradients of projections that share the input `normed`, and, if `dx` is given, the sum of their input
 * gradients.
 */
function sharedInput(
  ctx: PassContext,
  layer: number,
  gradients: readonly (readonly [Projection, BufferView])[],
  dx?: BufferView,
) {
  const parts = gradients.map(([projection, dy]) => ({ module: moduleOf(ctx, layer, projection), dy }));
  loraBackward(ctx, view(ctx.acts.buffers.normed), parts);
  if (!dx) {
    return;
  }
  parts.forEach(({ module, dy }, i) => linearInputGrad(ctx, module, { dy, dx, accumulate: i > 0 }));
}

/**
 * Recomputes what the MLP's backward pass needs and was not saved. silu(gate)∘up itself is not among it: LoRA's
 * gradient makes it of gate and up.
 */
function recomputeMlp(ctx: PassContext, layer: number): void {
  const { acts } = ctx;
  if (!acts.keeps(layer, SAVED.attention)) {
    attentionInput(ctx, layer);
    attend(ctx, layer, queryKeyValue(ctx, layer));
  }
  if (!acts.keeps(layer, SAVED.projections)) {
    attentionOutput(ctx, layer);
  }
  mlpInput(ctx, layer);
  if (!acts.keeps(layer, SAVED.all)) {
    gateUp(ctx, layer);
    const gated = { gate: acts.gate(layer), up: acts.up(layer) };
    loraForward(ctx, view(acts.buffers.scratchC), [moduleOf(ctx, layer, 'down_proj')], gated);
  }
}

function mlpBackward(ctx: PassContext, layer: number): void {
  const { stream, base, acts, rows } = ctx;
  recomputeMlp(ctx, layer);
  const [gate, up, grad] = [acts.gate(layer), acts.up(layer), view(acts.buffers.grad)];
  const down = moduleOf(ctx, layer, 'down_proj');
  loraBackward(ctx, { gate, up }, [{ module: down, dy: grad }]);
  const product = view(acts.buffers.scratchC);
  linearInputGrad(ctx, down, { dy: grad, dx: product, accumulate: false });
  // The gradients overwrite gate and up, saved or not: nothing needs those any more.
  swigluBackward(stream, { gate, up, dout: product, n: rows * base.config.intermediateSize });
  const dnormed = view(acts.buffers.residualOut);
  sharedInput(
    ctx,
    layer,
    [
      ['gate_proj', gate],
      ['up_proj', up],
    ],
    dnormed,
  );
  throughNorm(ctx, acts.postAttention(layer), base.layers[layer]!.postNorm, dnormed, true);
}

function attentionBackward(ctx: PassContext, layer: number): void {
  const { stream, base, acts, rows, products } = ctx;
  const { config: c, layers } = base;
  const { qNorm, kNorm, inputNorm } = layers[layer]!;
  const grad = view(acts.buffers.grad);
  const output = moduleOf(ctx, layer, 'o_proj');
  loraBackward(ctx, acts.attnOut(layer), [{ module: output, dy: grad }]);
  attentionInput(ctx, layer);
  const { q, k, v } = acts.keeps(layer, SAVED.projections) ? rotated(ctx, layer) : queryKeyValue(ctx, layer);
  const dout = view(acts.buffers.postAttention);
  linearInputGrad(ctx, output, { dy: grad, dx: dout, accumulate: false });
  const stats = acts.stats(layer);
  const shape = heads(c, rows);
  attentionDelta(stream, { o: acts.attnOut(layer), dout, stats, ...shape });
  const d = acts.qkv(acts.buffers.scratchB);
  const inputs = { q, k, v, dout, stats, ranges: view(acts.buffers.ranges), ...shape };
  // Added up where they are rotated back.
  let shares: KeyShares | undefined;
  const leave = (left: KeyShares) => void (shares = left);
  const keys = { ...inputs, dk: d.k, dv: d.v, scratch: acts.scratch, leave };
  // First, since it may use the scratch that the shares are left in.
  const queries = { ...inputs, dq: d.q, scratch: acts.scratch };
  attentionBackwardQ(stream, queries, products?.attention('attention queries', shape));
  attentionBackwardKV(stream, keys, products?.attention('attention keys', shape));
  applyRope(ctx, d, true, shares);
  let { q: dq, k: dk } = d;
  if (qNorm && kNorm) {
    const raw = acts.projected(layer);
    const through = acts.qkv(acts.buffers.scratchC);
    const norm = { width: c.headDim, eps: c.rmsNormEps, accumulate: false };
    const q = { x: raw.q, weight: qNorm, dy: dq, dx: through.q, rows: rows * c.heads, ...norm };
    const k = { x: raw.k, weight: kNorm, dy: dk, dx: through.k, rows: rows * c.kvHeads, ...norm };
    rmsnormBackward(stream, q, products?.norms);
    rmsnormBackward(stream, k, products?.norms);
    dq = through.q;
    dk = through.k;
  }
  // Nothing below the first layer is trained.
  const dnormed = layer > 0 ? view(acts.buffers.residualOut) : undefined;
  sharedInput(
    ctx,
    layer,
    [
      ['q_proj', dq],
      ['k_proj', dk],
      ['v_proj', d.v],
    ],
    dnormed,
  );
  if (dnormed) {
    throughNorm(ctx, acts.x(layer), inputNorm, dnormed, true);
  }
}

/**
 * Propagates dnormed [rows, C], the gradient of the loss with respect to the final norm's output (in
 * `postAttention`), through all layers, and accumulates the gradient of every LoRA tensor. Activations that were
 * not saved (activation-checkpointing.ts) are recomputed first. Rejects with the stream signal's reason.
 */
export async function backward(ctx: PassContext): Promise<void> {
  const { base, acts, stream } = ctx;
  const { layers } = base.config;
  throughNorm(ctx, acts.x(layers), base.finalNorm, view(acts.buffers.postAttention), false);
  for (let layer = layers - 1; layer >= 0; layer--) {
    mlpBackward(ctx, layer);
    await stream.throttle();
    attentionBackward(ctx, layer);
    await stream.throttle();
  }
}
