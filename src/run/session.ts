import type { LoraWeights } from '../formats/adapter.ts';
import type { Recipe } from '../formats/recipe.ts';
import type { Gpu } from '../gpu/device.ts';
import { Stream } from '../gpu/stream.ts';
import { loadBase } from '../model/load-base.ts';
import { Lora } from '../model/lora.ts';
import type { DecoderWeights } from '../model/weights.ts';
import { Workspace } from '../model/workspace.ts';
import { Optimizer } from '../train/optimizer.ts';
import { PassRunner } from '../train/step.ts';
import type { RunEvent } from './events.ts';
import { loading } from './loading.ts';
import { memoryPlan, trainingWorkspace, withinMemory, type MemoryPlanInput } from './memory-plan.ts';
import type { Prepared } from './prepare.ts';
import type { RunPlan } from './run-plan.ts';

/** A run's share of the device: base, adapter, optimizer and activations. */
export interface Session {
  stream: Stream;
  lora: Lora;
  optimizer: Optimizer;
  runner: PassRunner;
}

/** What a session needs to know of a prepared run. */
export interface SessionInputs extends Pick<
  Prepared,
  'model' | 'cache' | 'adapter' | 'longest' | 'stepTargets'
> {
  inputs: { recipe: Recipe };
}

/** What the memory plan needs to know of a prepared run. */
export function planInput(prepared: SessionInputs, plan: Pick<RunPlan, 'passTokens'>): MemoryPlanInput {
  const { model, adapter, inputs, longest, stepTargets } = prepared;
  return {
    model,
    doubleQuant: inputs.recipe.quantization.useDoubleQuant,
    modules: adapter.weights.map((w) => w.module),
    passTokens: plan.passTokens,
    positions: longest,
    stepTargets: Math.max(stepTargets, plan.passTokens),
    dropout: adapter.config.loraDropout > 0,
  };
}

/** Brings base, adapter and optimizer to the device. Throws UserError where they do not fit. */
export async function openSession(
  gpu: Gpu,
  prepared: SessionInputs,
  plan: RunPlan,
  weights: readonly LoraWeights[],
  emit: (event: RunEvent) => void,
): Promise<Session> {
  const { model, inputs } = prepared;
  const input = planInput(prepared, plan);
  return withinMemory(gpu, memoryPlan(input), async () => {
    const base = await loadBase(gpu, model, {
      doubleQuant: inputs.recipe.quantization.useDoubleQuant,
      positions: input.positions,
      ...loading(prepared.cache, emit),
    });
    return assembleSession(gpu, base, prepared, plan, weights);
  });
}

/** A session on a base that is on the device. */
export function assembleSession(
  gpu: Gpu,
  base: DecoderWeights,
  prepared: SessionInputs,
  plan: RunPlan,
  weights: readonly LoraWeights[],
): Session {
  const { model, adapter, inputs } = prepared;
  const input = planInput(prepared, plan);
  const stream = new Stream(gpu);
  const lora = new Lora(gpu, weights, model.config.layers, true, adapter.config.loraDropout);
  const ws = new Workspace(gpu, trainingWorkspace(input));
  const { weightDecay, maxGradNorm } = inputs.recipe.training;
  const optimizer = new Optimizer(gpu, lora, {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    weightDecay,
    maxGradNorm,
  });
  const runner = new PassRunner({ gpu, stream, base, lora, ws }, input.stepTargets);
  return { stream, lora, optimizer, runner };
}
