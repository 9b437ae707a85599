import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import { freshAdapter } from '../../src/formats/adapter.ts';
import { openBaseModel } from '../../src/formats/base-model.ts';
import { defaultRecipe } from '../../src/formats/recipe.ts';
import { mib } from '../../src/gpu/memory.ts';
import { Stream } from '../../src/gpu/stream.ts';
import { Activations } from '../../src/model/activations.ts';
import { loadBase } from '../../src/model/base/load.ts';
import { Lora } from '../../src/model/lora.ts';
import { memoryPlan, totalBytes, trainingActivations } from '../../src/run/plan/memory-plan.ts';
import { packWindow } from '../../src/text/packing.ts';
import { Optimizer } from '../../src/train/optimizer.ts';
import { PassRunner } from '../../src/train/step.ts';

/** Where the 3 GB base of Qwen2.5-1.5B's shapes is, or is written at the first run. */
const FOLDER = process.env.RETUNE_SYNTHETIC_BASE ?? join(tmpdir(), 'synthetic-1.5b');
const TOKENS = 8;

it('a base of the shapes of Qwen2.5-1.5B loads by streaming and takes a training step over 8 tokens', async () => {
  if (!existsSync(join(FOLDER, 'model.safetensors'))) {
    execFileSync(process.execPath, ['tests/reference/write_synthetic_base.mjs', FOLDER], {
      stdio: 'inherit',
    });
  }
  const model = await openBaseModel(await nodeFolder(FOLDER));
  const { weights } = freshAdapter(defaultRecipe().lora, model.config, 42, '');
  const input = {
    model,
    doubleQuant: true,
    modules: weights.map((w) => w.module),
    passTokens: TOKENS,
    positions: TOKENS,
    stepTargets: TOKENS,
  };
  const gpu = await openNodeGpu('floor');
  const before = process.memoryUsage().rss;
  const loading = performance.now();
  const base = await loadBase(gpu, model, { doubleQuant: true, positions: TOKENS });
  const loaded = performance.now();
  const stream = new Stream(gpu);
  const lora = new Lora(gpu, weights, model.config.layers, true);
  const acts = new Activations(gpu, trainingActivations(input));
  const settings = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 };
  const optimizer = new Optimizer(gpu, lora, settings);
  const runner = new PassRunner({ gpu, stream, base, lora, acts }, input.stepTargets);
  expect(gpu.memory.total).toBe(totalBytes(memoryPlan(input)));
  expect(gpu.memory.byKind()).toEqual(memoryPlan(input));
  // A software device's buffers are in this process's memory.
  const buffers = gpu.software ? gpu.memory.peak : 0;
  const beyond = process.resourceUsage().maxRSS * 1024 - before - buffers;
  console.log(
    `loaded in ${((loaded - loading) / 1000).toFixed(0)} s; GPU ${mib(gpu.memory.total)} MiB; host ${mib(beyond)} MiB beyond`,
  );
  expect(beyond).toBeLessThan(500e6);

  const ids = Uint32Array.from({ length: TOKENS }, (_, i) => (i * 19_001) % model.config.vocabSize);
  const row = { ids, trained: new Uint8Array(TOKENS).fill(1), line: 1, place: 1, cut: false };
  const call = { t: 1, learningRate: 1e-4, seed: 1, epoch: 0 };
  const { loss, gradNorm } = await runner.train(packWindow([{ row, index: 0 }], TOKENS), optimizer, call);
  console.log(
    `step in ${((performance.now() - loaded) / 1000).toFixed(0)} s: loss ${loss}, grad_norm ${gradNorm}`,
  );
  expect(loss).toBeGreaterThan(0);
  expect(gradNorm).toBeGreaterThan(0);
  expect(gpu.errors).toEqual([]);
  gpu.close();
});
