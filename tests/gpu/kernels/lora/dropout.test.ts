import { expect, it } from 'vitest';
import { nodeFolder } from '../../../../src/cli/node-files.ts';
import { readAdapter } from '../../../../src/formats/adapter.ts';
import { dropoutKey } from '../../../../src/gpu/kernels/lora/dropout-mask.ts';
import { view } from '../../../../src/gpu/memory.ts';
import { Activations } from '../../../../src/model/activations.ts';
import { backward } from '../../../../src/model/backward.ts';
import { uploadPass } from '../../../../src/model/batch.ts';
import { forward, type PassContext } from '../../../../src/model/decoder.ts';
import { Lora } from '../../../../src/model/lora.ts';
import { headLoss } from '../../../../src/model/loss.ts';
import { packWindow } from '../../../../src/text/packing.ts';
import { testGpu } from '../../../support/gpu.ts';
import { casePath, ModelCase } from '../../../support/model-case.ts';
import { Random } from '../../../support/random.ts';

const LENGTHS = [23, 31];
const TOKENS = 54;

/** A pass of two packed rows under LoRA dropout, and the sum of its losses. */
async function trainedPass(dropout: number) {
  const t = await testGpu();
  const opened = await ModelCase.open(t.gpu, 'llama_sharded');
  const { config } = opened.model;
  const adapter = await readAdapter(await nodeFolder(casePath('llama_sharded', 'v1')), config);
  const random = new Random(9);
  // Factors of a size at which the mask of every module has a part in the gradients.
  const weights = adapter.weights.map(({ module, A, B }) => ({
    module,
    A: random.normals(A.length).map((a) => 0.2 * a),
    B: random.normals(B.length).map((b) => 0.03 * b),
  }));
  const lora = new Lora(t.gpu, weights, config.layers, true, dropout);
  const rows = LENGTHS.map((length, index) => {
    const ids = Uint32Array.from({ length }, () => random.integer(0, config.vocabSize - 1));
    return { index, row: { ids, trained: new Uint8Array(length).fill(1), line: 1, place: 1, cut: false } };
  });
  const pass = packWindow(rows, TOKENS)[0]!;
  const targets = pass.targets.index.length;
  const headFormat = opened.base.head.format;
  const rank = Math.max(...weights.map((w) => w.module.r));
  const shape = { config, headFormat, tokens: TOKENS, rank, training: true };
  const acts = new Activations(t.gpu, shape);
  uploadPass(t.stream, acts, pass, new Map(rows.map(({ index }) => [index, dropoutKey(1, 0, index)])));
  const ctx: PassContext = { stream: t.stream, base: opened.base, lora, acts, rows: TOKENS, dropout };
  const losses = t.output(targets);
  async function loss(): Promise<number> {
    await forward(ctx);
    await headLoss(ctx, { targets, losses, lossBegin: 0, gradScale: 1 });
    return (await t.floats(losses)).reduce((sum, l) => sum + l, 0);
  }
  return { t, ctx, lora, loss };
}

it('under LoRA dropout the gradients are what differences of the loss give', async () => {
  const { t, ctx, lora, loss } = await trainedPass(0.3);
  await loss();
  await backward(ctx);
  for (const [i, { layout, weights, grads }] of lora.layers.entries()) {
    const masters = await t.floats(view(weights));
    const gradient = await t.floats(view(grads));
    const moved = (values: Float32Array) => t.gpu.device.queue.writeBuffer(weights.raw, 0, values.slice());
    for (const which of ['A', 'B']) {
      const direction = new Float32Array(gradient.length);
      for (const slot of layout.slots.filter((s) => s.which === which)) {
        direction.set(gradient.subarray(slot.begin, slot.begin + slot.count), slot.begin);
      }
      const squares = direction.reduce((sum, g) => sum + g * g, 0);
      // The loss changes by about 0.2 either way.
      const step = 0.2 / squares;
      const at = (sign: number) => {
        moved(masters.map((m, j) => m + sign * step * direction[j]!));
        return loss();
      };
      const slope = ((await at(1)) - (await at(-1))) / (2 * step);
      expect(Math.abs(slope / squares - 1), `layer ${i}, ${which}`).toBeLessThan(1e-3);
    }
    moved(masters);
  }
});
