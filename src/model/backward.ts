import { attentionDelta, type KeyShares } from '../gpu/kernels/attention/attention.ts';
import { attentionBackwardKV, attentionBackwardQ } from '../gpu/kernels/attention/index.ts';
import { restoreGated, roundGated } from '../gpu/kernels/gated-halves.ts';
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
import {
  gatedBackward,
  gathers,
  linearInputGrads,
  loraBackward,
  loraForward,
  loraGradients,
  loraOutputGrad,
} from './linear.ts';

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
    const down = moduleOf(ctx, layer, 'down_proj');
    loraForward(ctx, view(acts.buffers.scratchC), [down], acts.gated(layer), true);
  }
}

function mlpBackward(ctx: PassContext, layer: number): void {
  const { stream, base, acts, rows, products } = ctx;
  recomputeMlp(ctx, layer);
  const gated = acts.gated(layer);
  const down = { module: moduleOf(ctx, layer, 'down_proj'), dy: view(acts.buffers.grad) };
  // The gradients overwrite gate and up, saved in f32 or not: nothing needs those any more.
  const parts = [
    { module: moduleOf(ctx, layer, 'gate_proj'), dy: gated.gate },
    { module: moduleOf(ctx, layer, 'up_proj'), dy: gated.up },
  ] as const;
  const [dout, normed] = [view(acts.buffers.scratchC), view(acts.buffers.normed)];
  const modules = { gate: parts[0].module, up: parts[1].module, down: down.module };
  if ((products?.gathered ?? true) && gathers(modules)) {
    loraOutputGrad(ctx, [down]);
    linearInputGrads(ctx, [down], dout);
    gatedBackward(ctx, modules, { ...gated, dout });
    loraOutputGrad(ctx, parts);
    loraGradients(ctx, { B: [down], A: parts, x: normed });
  } else {
    const n = rows * base.config.intermediateSize;
    if (gated.halves?.saved) {
      restoreGated(stream, { ...gated, saved: gated.halves.saved, n });
    } else if (gated.halves) {
      roundGated(stream, { ...gated, n, scratch: acts.scratch });
    }
    loraBackward(ctx, gated, [down]);
    linearInputGrads(ctx, [down], dout);
    swigluBackward(stream, { ...gated, dout, n });
    loraBackward(ctx, normed, parts);
  }
  const dnormed = view(acts.buffers.residualOut);
  linearInputGrads(ctx, parts, dnormed);
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
  linearInputGrads(ctx, [{ module: output, dy: grad }], dout);
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
  const parts = [
    { module: moduleOf(ctx, layer, 'q_proj'), dy: dq },
    { module: moduleOf(ctx, layer, 'k_proj'), dy: dk },
    { module: moduleOf(ctx, layer, 'v_proj'), dy: d.v },
  ];
  loraBackward(ctx, view(acts.buffers.normed), parts);
  // Nothing below the first layer is trained.
  if (layer > 0) {
    const dnormed = view(acts.buffers.residualOut);
    linearInputGrads(ctx, parts, dnormed);
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
