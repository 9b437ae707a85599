import { expect, it } from 'vitest';
import { nodeFolder } from '../../../src/cli/node-files.ts';
import { type LoraWeights, readAdapter } from '../../../src/formats/adapter.ts';
import { batchShape } from '../../../src/generate/batch-shape.ts';
import { stopIds } from '../../../src/generate/prompt-form.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import { TextGenerator } from '../../../src/generate/text-generator.ts';
import { view } from '../../../src/gpu/memory.ts';
import { Activations } from '../../../src/model/activations.ts';
import { Lora } from '../../../src/model/lora.ts';
import { adapterFiles } from '../../../src/run/checkpoint/checkpoint.ts';
import { packWindow } from '../../../src/text/packing.ts';
import { encodeRows } from '../../../src/text/rows.ts';
import { Optimizer } from '../../../src/train/optimizer.ts';
import { PassRunner } from '../../../src/train/step.ts';
import { firstDifference } from '../../support/first-difference.ts';
import { testGpu } from '../../support/gpu.ts';
import { fixtureBytes, joinBytes, memoryFolder, source } from '../../support/memory-folder.ts';
import { casePath, ModelCase } from '../../support/model-case.ts';

const SETTINGS = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 };

it('train, save, load, generate: the adapter changes the answers, and loaded equals in memory token for token', async () => {
  const t = await testGpu();
  const { gpu, stream } = t;
  const opened = await ModelCase.open(gpu, 'batch2');
  const { config } = opened.model;
  const v1 = await readAdapter(await nodeFolder(casePath('batch2', 'v1')), config);
  const trained = new Lora(gpu, v1.weights, config.layers, true);
  const shape = { config, headFormat: opened.base.head.format, tokens: 256, rank: 32 };
  const acts = new Activations(gpu, { ...shape, training: true });
  const runner = new PassRunner({ gpu, stream, base: opened.base, lora: trained, acts }, 256);
  const optimizer = new Optimizer(gpu, trained, SETTINGS);

  const prompt = opened.expected.prompt_ids;
  const prompts = [prompt, prompt.slice(1), prompt.slice(2)];
  const generator = new TextGenerator(stream, opened.base, batchShape(config, prompts, 16, 32));
  const options = {
    maxNewTokens: 16,
    stopIds: stopIds(opened.model, opened.tokenizer),
    sampling: GREEDY,
    seed: 1,
  };
  const answers = async (lora: Lora) =>
    (await generator.generate(prompts, lora, options)).map(({ ids }) => ids);
  const before = await answers(trained);

  const data = source('train.jsonl', fixtureBytes('cases/batch2/train.jsonl'));
  const { rows } = await encodeRows(data, opened.tokenizer, { maxLength: 34 });
  const passes = packWindow(
    rows.slice(0, 7).map((row, index) => ({ row, index })),
    256,
  );
  for (let step = 1; step <= 4; step++) {
    await runner.train(passes, optimizer, { t: step, learningRate: 0.02, seed: 1, epoch: 0 });
  }

  const after = await answers(trained);
  expect(after).not.toEqual(before);

  const weights: LoraWeights[] = await trained.read(stream);
  const files = Object.entries(adapterFiles(weights, v1.config)).map(([name, chunks]) => [
    name,
    joinBytes(chunks),
  ]);
  const loaded = await readAdapter(memoryFolder('v2', Object.fromEntries(files)), config);
  const again = new Lora(gpu, loaded.weights, config.layers, false);
  const masters = await Promise.all([trained, again].map((lora) => t.floats(view(lora.layers[0]!.weights))));
  expect(firstDifference(masters[0]!, masters[1]!)).toBe(-1);
  expect(await answers(again)).toEqual(after);
});
