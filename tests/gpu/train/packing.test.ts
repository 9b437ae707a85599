import { describe, expect, it } from 'vitest';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { readAdapter } from '../../../src/formats/adapter.ts';
import { parseRecipe } from '../../../src/formats/recipe.ts';
import { view } from '../../../src/gpu/memory.ts';
import { Activations } from '../../../src/model/activations.ts';
import { Lora } from '../../../src/model/lora.ts';
import { packWindow } from '../../../src/text/packing.ts';
import { encodeRows } from '../../../src/text/rows.ts';
import { evaluate } from '../../../src/train/evaluate.ts';
import { Optimizer } from '../../../src/train/optimizer.ts';
import { PassRunner } from '../../../src/train/step.ts';
import { relativeError, testGpu } from '../../support/gpu.ts';
import { fixtureBytes, source } from '../../support/memory-folder.ts';
import { casePath, ModelCase } from '../../support/model-case.ts';

const SETTINGS = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 0 };

/** Loss and LoRA weights after one step over the first rows of a case, packed into passes of `capacity` tokens. */
async function oneStep(capacity: number, dropout: number, seed = 1) {
  const t = await testGpu();
  const opened = await ModelCase.open(t.gpu, 'llama_sharded');
  const { weights } = await readAdapter(
    await nodeFolder(casePath('llama_sharded', 'v1')),
    opened.model.config,
  );
  const { maxLength } = parseRecipe(opened.text('training_config.yaml'), 'recipe').recipe.training;
  const data = source('train.jsonl', fixtureBytes('cases/llama_sharded/train.jsonl'));
  const rows = (await encodeRows(data, opened.tokenizer, { maxLength })).rows.slice(0, 7);
  const lora = new Lora(t.gpu, weights, opened.model.config.layers, true, dropout);
  const shape = { config: opened.model.config, headFormat: opened.base.head.format, tokens: 512, rank: 32 };
  const acts = new Activations(t.gpu, { ...shape, training: true });
  const runner = new PassRunner({ gpu: t.gpu, stream: t.stream, base: opened.base, lora, acts }, 512);
  const optimizer = new Optimizer(t.gpu, lora, SETTINGS);
  const passes = packWindow(
    rows.map((row, index) => ({ row, index })),
    capacity,
  );
  const before = await evaluate(runner, rows, { batch: 1, passTokens: capacity });
  const call = { t: 1, learningRate: 0, seed, epoch: 0 };
  const { loss, gradNorm } = await runner.train(passes, optimizer, call);
  // With a learning rate of 0 the first moment is a tenth of the gradient: it shows each tensor's gradient.
  const state = (await optimizer.read(t.stream)).filter(
    (s) => s.name.endsWith('_absmax') || s.name.endsWith('.m'),
  );
  const moments = state.flatMap((s) => [...new Float32Array(s.data.slice().buffer)]);
  const zeroed = await t.floats(view(lora.layers[0]!.grads));
  runner.close();
  optimizer.close();
  acts.close();
  lora.close();
  return { passes: passes.length, loss, gradNorm, moments, evalLoss: before.loss, zeroed };
}

describe('packing', () => {
  it.each([0, 0.3])('gives the loss and gradients of one row a pass, dropout %s', async (dropout) => {
    const packed = await oneStep(512, dropout);
    const single = await oneStep(50, dropout);
    expect(packed.passes).toBe(1);
    expect(single.passes).toBe(7);
    expect(packed.loss).toBeCloseTo(single.loss, 5);
    expect(packed.evalLoss).toBeCloseTo(single.evalLoss, 5);
    expect(relativeError([packed.gradNorm], [single.gradNorm])).toBeLessThan(1e-5);
    expect(relativeError(packed.moments, single.moments)).toBeLessThan(1e-5);
    expect(packed.zeroed.every((g) => g === 0)).toBe(true);
  });
});

describe('LoRA dropout', () => {
  it('changes the training loss, depends on the seed, and leaves evaluation alone', async () => {
    const plain = await oneStep(512, 0);
    const dropped = await oneStep(512, 0.3);
    const again = await oneStep(512, 0.3);
    const other = await oneStep(512, 0.3, 2);
    expect(Math.abs(dropped.loss - plain.loss)).toBeGreaterThan(1e-4);
    expect(Math.abs(dropped.loss - other.loss)).toBeGreaterThan(1e-5);
    expect(again.loss).toBe(dropped.loss);
    expect(again.moments).toEqual(dropped.moments);
    expect(dropped.evalLoss).toBe(plain.evalLoss);
  });
});
