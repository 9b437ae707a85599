import type { BaseModel } from '../../formats/base-model.ts';
import type { LoraModule } from '../../formats/lora-modules.ts';
import { UserError } from '../../formats/user-error.ts';
import { generatorAllocations, type GeneratorShape } from '../../generate/cached-decoder.ts';
import type { Gpu } from '../../gpu/device.ts';
import { withErrorScopes } from '../../gpu/error-scopes.ts';
import { packsTable } from '../../gpu/kernels/lm-head/packed.ts';
import { type MemoryKind, mib } from '../../gpu/memory.ts';
import { streamAllocations } from '../../gpu/stream.ts';
import type { SavedActivations, SavedFormat } from '../../model/activation-checkpointing.ts';
import { activationAllocations, type ActivationShape } from '../../model/activations.ts';
import { bytesByKind } from '../../model/allocations.ts';
import { formatOf, headTensor, weightStorage } from '../../model/base/read/tensor-format.ts';
import { loraAllocations, type LoraLayout, loraLayout, type StateBits } from '../../model/lora.ts';
import { baseAllocations } from '../../model/weights.ts';
import { optimizerSharedAllocations } from '../../train/optimizer.ts';
import { stateAllocations, stateLayout, type StateStorage } from '../../train/optimizer-state.ts';
import { lossAllocations } from '../../train/step.ts';

export interface MemoryPlanInput {
  model: BaseModel;
  doubleQuant: boolean;
  modules: readonly LoraModule[];
  /** Maximum tokens of a pass. */
  passTokens: number;
  /** Tokens of the longest row. */
  positions: number;
  /** Maximum trained tokens of a step. */
  stepTargets: number;
  /** Whether the head's table is packed for larger chunks of logits. */
  packedHead?: boolean | undefined;
  /** Level of each layer's saved activations; default: attention output and statistics. */
  keep?: readonly SavedActivations[] | undefined;
  /** How gate and up are saved; default: in f32. */
  savedFormat?: SavedFormat | undefined;
  /** MiB of logits computed at once; default: as in the plans of earlier versions. */
  logitMiB?: number | undefined;
  /** Bits of the optimizer's moments; default: 8. */
  stateBits?: StateBits | undefined;
  /** Where the optimizer's state is kept; default: on the device. */
  optimizer?: StateStorage | undefined;
  /** What answers sample prompts; absent where there are none. */
  samples?: GeneratorShape | undefined;
}

/** Positions that the rotary table holds: those of the longest row, or of a sample prompt with its answer. */
export const tablePositions = ({
  positions,
  samples,
}: Pick<MemoryPlanInput, 'positions' | 'samples'>): number => Math.max(positions, samples?.capacity ?? 0);

/** The shape of a training run's activations. */
export function trainingActivations(input: MemoryPlanInput): ActivationShape {
  return {
    config: input.model.config,
    headFormat: formatOf(headTensor(input.model)),
    tokens: input.passTokens,
    rank: Math.max(...input.modules.map((m) => m.r)),
    training: true,
    keep: input.keep,
    savedFormat: input.savedFormat,
    logitMiB: input.logitMiB,
    packedHead: input.packedHead,
  };
}

/** Whether the head's table can be packed. */
export const packsHeadOf = (model: BaseModel): boolean =>
  packsTable({ vocab: model.config.vocabSize, format: formatOf(headTensor(model)) });

/** Bytes by kind that a training run holds on the device, exactly as the memory account will show them. */
export function memoryPlan(input: MemoryPlanInput): Map<MemoryKind, number> {
  const layouts = layerLayouts(input);
  const workspace = activationAllocations(trainingActivations(input));
  return bytesByKind([
    ...baseSets(input, tablePositions(input)),
    ...layouts.map((layout) => loraAllocations(layout, true)),
    ...stateAllocations(layouts, input.optimizer ?? 'resident'),
    optimizerSharedAllocations(layouts),
    workspace.work,
    ...workspace.kept,
    lossAllocations(input.stepTargets),
    ...(input.samples ? generatorSets(input.model, input.samples) : []),
    streamAllocations,
  ]);
}

/** Bytes that writing a checkpoint needs temporarily: it reads back one layer at a time. */
export function checkpointBytes(input: MemoryPlanInput): number {
  const state = (layout: LoraLayout) =>
    (input.optimizer ?? 'resident') === 'resident' ? stateLayout(layout).bytes : 0;
  return Math.max(...layerLayouts(input).map((layout) => Math.max(4 * layout.values, state(layout))));
}

interface GenerationPlanInput extends Pick<MemoryPlanInput, 'model' | 'doubleQuant'> {
  /** Empty for the base alone. */
  modules: readonly LoraModule[];
  shape: GeneratorShape;
}

/** Bytes by kind that answering questions holds on the device. */
export function generationPlan(input: GenerationPlanInput): Map<MemoryKind, number> {
  const { model, modules, shape } = input;
  return bytesByKind([
    ...baseSets(input, shape.capacity),
    ...(modules.length > 0 ? layerLayouts(input).map((layout) => loraAllocations(layout, false)) : []),
    ...generatorSets(model, shape),
    streamAllocations,
  ]);
}

const generatorSets = (model: BaseModel, shape: GeneratorShape) =>
  generatorAllocations(model.config, formatOf(headTensor(model)), shape);

function baseSets({ model, doubleQuant }: Pick<MemoryPlanInput, 'model' | 'doubleQuant'>, positions: number) {
  const embedding = formatOf(model.tensors.get('model.embed_tokens.weight')!);
  const storage = weightStorage(model, doubleQuant);
  return baseAllocations(model.config, storage, embedding, formatOf(headTensor(model)), positions);
}

function layerLayouts({
  model,
  modules,
  stateBits,
}: Pick<MemoryPlanInput, 'model' | 'modules' | 'stateBits'>): LoraLayout[] {
  return Array.from({ length: model.config.layers }, (_, i) =>
    loraLayout(
      modules.filter((m) => m.layer === i),
      stateBits,
    ),
  );
}

/** Total of a plan. */
export const totalBytes = (plan: ReadonlyMap<MemoryKind, number>): number =>
  [...plan.values()].reduce((sum, bytes) => sum + bytes, 0);

/** The device has less memory than was requested. */
export class OutOfMemoryError extends UserError {}

/** How to make a training run smaller. */
export const TRAINING_REMEDY =
  'lower training.max_seq_length or lora.r, or close other programs that use the GPU';

/**
 * Runs `allocate`. Throws UserError with the plan's figures if the device has too little memory for what it
 * allocates.
 */
export async function withinMemory<T>(
  gpu: Gpu,
  plan: ReadonlyMap<MemoryKind, number>,
  allocate: () => Promise<T>,
  remedy = TRAINING_REMEDY,
): Promise<T> {
  const { result, errors } = await withErrorScopes(gpu.device, ['out-of-memory'], allocate);
  if (errors[0]) {
    throw outOfMemory(gpu, plan, remedy);
  }
  return result;
}

/**
 * Returns what `make` creates, or undefined if the device has too little memory for it; then `close` frees what was
 * created, leaving the device as before.
 */
export async function unlessOutOfMemory<T>(
  gpu: Gpu,
  make: () => T,
  close: (made: T) => void,
): Promise<T | undefined> {
  // Writing to a buffer whose allocation failed is a separate error.
  const { result: made, errors } = await withErrorScopes(gpu.device, ['validation', 'out-of-memory'], make);
  const [mistake, refused] = errors;
  if (refused) {
    close(made);
    return undefined;
  }
  if (mistake) {
    gpu.errors.push(mistake.message);
  }
  return made;
}

/** The error that states what is needed and what to lower. */
export function outOfMemory(
  gpu: Gpu,
  plan: ReadonlyMap<MemoryKind, number>,
  remedy = TRAINING_REMEDY,
): OutOfMemoryError {
  return new OutOfMemoryError(
    `GPU memory: ${mib(totalBytes(plan))} MiB are needed (${showParts(plan)}), and ${gpu.name} has less to give; ${remedy}.`,
  );
}

/** A plan in words, the largest part first, in MiB. */
export const showParts = (plan: ReadonlyMap<MemoryKind, number>): string =>
  [...plan]
    .toSorted((a, b) => b[1] - a[1])
    .map(([kind, bytes]) => `${kind} ${mib(bytes)}`)
    .join(', ');
