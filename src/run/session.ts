import type { LoraWeights } from '../formats/adapter.ts';
import type { Recipe } from '../formats/recipe.ts';
import { RECIPE } from '../formats/recipe/settings.ts';
import { stateBits } from '../formats/recipe/training.ts';
import { TextGenerator } from '../generate/text-generator.ts';
import { HEAD_CLASS } from '../gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../gpu/device.ts';
import { PACKED_HEAD } from '../gpu/kernels/lm-head/index.ts';
import { mib } from '../gpu/memory.ts';
import { Stream } from '../gpu/stream.ts';
import { parseSaved } from '../model/activation-checkpointing.ts';
import { Activations } from '../model/activations.ts';
import { loadBase, type LoadOptions } from '../model/base/load.ts';
import { Lora } from '../model/lora.ts';
import type { DecoderWeights } from '../model/weights.ts';
import { Optimizer } from '../train/optimizer.ts';
import { PassRunner } from '../train/step.ts';
import type { RunEvent } from './events.ts';
import type { Prepared } from './input/prepare.ts';
import { loading } from './loading.ts';
import { type ExecutionPlan, openPlannedKernels } from './plan/execution-plan.ts';
import {
  choiceOf,
  chooseMemory,
  keepChoice,
  smallerChoices,
  smallestChoice,
  withChoice,
} from './plan/memory-choice.ts';
import {
  memoryPlan,
  type MemoryPlanInput,
  outOfMemory,
  packsHeadOf,
  tablePositions,
  totalBytes,
  trainingActivations,
  unlessOutOfMemory,
  withinMemory,
} from './plan/memory-plan.ts';

/** A run's objects on the device: base, adapter, optimizer and activations. */
export interface Session {
  plan: ExecutionPlan;
  stream: Stream;
  lora: Lora;
  optimizer: Optimizer;
  runner: PassRunner;
  /** Answers the sample prompts, if there are any. */
  generator: TextGenerator | undefined;
}

/** What a session needs of a prepared run. */
export interface SessionInputs extends Pick<
  Prepared,
  'model' | 'cache' | 'adapter' | 'longest' | 'stepTargets' | 'samples'
> {
  inputs: { recipe: Recipe };
}

/** What the memory plan needs of a prepared run. */
export function planInput(
  prepared: SessionInputs,
  plan: Pick<ExecutionPlan, 'passTokens' | 'keep' | 'optimizer' | 'savedFormat' | 'logitMiB'> &
    Partial<Pick<ExecutionPlan, 'tiles'>>,
): MemoryPlanInput {
  const { model, adapter, inputs, longest, stepTargets, samples } = prepared;
  return {
    model,
    doubleQuant: inputs.recipe.quantization.useDoubleQuant,
    modules: adapter.weights.map((w) => w.module),
    stateBits: stateBits(inputs.recipe.training),
    passTokens: plan.passTokens,
    positions: longest,
    stepTargets: Math.max(stepTargets, plan.passTokens),
    keep: plan.keep === undefined ? undefined : parseSaved(plan.keep),
    optimizer: plan.optimizer,
    samples: samples?.shape,
    savedFormat: plan.savedFormat,
    logitMiB: plan.logitMiB,
    packedHead: plan.tiles?.[HEAD_CLASS] === PACKED_HEAD && packsHeadOf(model),
  };
}

/**
 * The plan with its memory choice: that of an earlier start if there is one, otherwise a new one. `budget` as for
 * chooseMemory. Throws UserError if the budget is too small.
 */
export function withMemory(
  plan: ExecutionPlan,
  gpu: Gpu,
  prepared: SessionInputs,
  budget?: number,
): ExecutionPlan {
  const input = planInput(prepared, plan);
  const choice =
    plan.keep === undefined
      ? chooseMemory(input, { budget, fill: !gpu.software })
      : keepChoice(input, choiceOf(input), budget);
  return { ...plan, ...choice };
}

/**
 * Loads base, adapter and optimizer onto the device, saving fewer activations if the device refuses what the plan
 * asks for; the session's plan says how many. `load` loads the base. Throws UserError if nothing fits.
 */
export async function openSession(
  gpu: Gpu,
  prepared: SessionInputs,
  plan: ExecutionPlan,
  weights: readonly LoraWeights[],
  emit: (event: RunEvent) => void,
  load = () => loadInputs(gpu, prepared, plan, emit),
): Promise<Session> {
  const input = planInput(prepared, plan);
  const smallest = memoryPlan(withChoice(input, smallestChoice(input)));
  const base = await withinMemory(gpu, smallest, load);
  const first = choiceOf(input);
  for (const choice of [first, ...smallerChoices(input, first)]) {
    const bytes = totalBytes(memoryPlan(withChoice(input, choice)));
    if (choice !== first) {
      emit({
        type: 'note',
        text: `${gpu.name} refused the memory asked for; trying ${mib(bytes)} MiB with more recomputation.`,
      });
    }
    const assemble = () => assembleSession(gpu, base, prepared, { ...plan, ...choice }, weights);
    const session = await unlessOutOfMemory(gpu, assemble, closeSession);
    if (session) {
      return session;
    }
  }
  throw outOfMemory(gpu, smallest);
}

function closeSession({ runner, optimizer, lora, stream, generator }: Session): void {
  generator?.close();
  runner.close();
  runner.engine.acts.close();
  optimizer.close();
  lora.close();
  stream.close();
}

/** Loads the inputs' base onto the device, from its files or the cache. */
export function loadInputs(
  gpu: Gpu,
  prepared: SessionInputs,
  plan: ExecutionPlan,
  emit: (event: RunEvent) => void,
  onContent?: LoadOptions['onContent'],
): Promise<DecoderWeights> {
  return loadBase(gpu, prepared.model, {
    doubleQuant: prepared.inputs.recipe.quantization.useDoubleQuant,
    positions: tablePositions(planInput(prepared, plan)),
    onContent,
    ...loading(prepared.cache, emit),
  });
}

/** A session over a base that is on the device. */
export function assembleSession(
  gpu: Gpu,
  base: DecoderWeights,
  prepared: SessionInputs,
  plan: ExecutionPlan,
  weights: readonly LoraWeights[],
): Session {
  const { model, adapter, inputs } = prepared;
  const input = planInput(prepared, plan);
  const stream = new Stream(gpu);
  const { layers } = model.config;
  const lora = new Lora(gpu, weights, layers, true, adapter.config.loraDropout, input.stateBits);
  const acts = new Activations(gpu, trainingActivations(input));
  const { weightDecay, maxGradNorm, adamBeta1, adamBeta2, adamEpsilon } = inputs.recipe.training;
  const { training } = RECIPE;
  const settings = {
    beta1: adamBeta1 ?? training.adamBeta1.usual,
    beta2: adamBeta2 ?? training.adamBeta2.usual,
    eps: adamEpsilon ?? training.adamEpsilon.usual,
    weightDecay,
    maxGradNorm,
  };
  const optimizer = new Optimizer(gpu, lora, settings, plan.optimizer);
  const products = openPlannedKernels(gpu, plan);
  const runner = new PassRunner({ gpu, stream, base, lora, acts, products }, input.stepTargets);
  const generator = input.samples && new TextGenerator(stream, base, input.samples);
  return { plan, stream, lora, optimizer, runner, generator };
}
