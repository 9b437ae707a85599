import type { BaseModel } from '../formats/base-model.ts';
import type { LoraModule } from '../formats/lora-modules.ts';
import { UserError } from '../formats/user-error.ts';
import type { Gpu } from '../gpu/device.ts';
import { mib, type MemoryKind } from '../gpu/memory.ts';
import { streamAllocations } from '../gpu/stream.ts';
import { bytesByKind, type Allocations } from '../model/allocations.ts';
import { formatOf, headTensor, scaleStorage } from '../model/load-base.ts';
import { loraAllocations, loraLayout } from '../model/lora.ts';
import { baseAllocations } from '../model/weights.ts';
import { workspaceAllocations, type WorkspaceShape } from '../model/workspace.ts';
import { optimizerAllocations, optimizerSharedAllocations } from '../train/optimizer.ts';
import { lossAllocations } from '../train/step.ts';

export interface MemoryPlanInput {
  model: BaseModel;
  doubleQuant: boolean;
  modules: readonly LoraModule[];
  /** Largest number of tokens of a pass. */
  passTokens: number;
  /** Tokens of the longest row. */
  positions: number;
  /** Most trained tokens of a step. */
  stepTargets: number;
  dropout: boolean;
}

/** The workspace that a training run makes. */
export function trainingWorkspace(input: MemoryPlanInput): WorkspaceShape {
  return {
    config: input.model.config,
    headFormat: formatOf(headTensor(input.model)),
    tokens: input.passTokens,
    rank: Math.max(...input.modules.map((m) => m.r)),
    training: true,
    dropout: input.dropout,
  };
}

/** Bytes by kind that a training run holds on the device, exactly as the account will show them. */
export function memoryPlan(input: MemoryPlanInput): Map<MemoryKind, number> {
  const { model, modules } = input;
  const { config } = model;
  const storage = scaleStorage(model, input.doubleQuant);
  const layouts = Array.from({ length: config.layers }, (_, i) =>
    loraLayout(modules.filter((m) => m.layer === i)),
  );
  const workspace = workspaceAllocations(trainingWorkspace(input));
  const embedding = formatOf(model.tensors.get('model.embed_tokens.weight')!);
  const sets: Allocations[] = [
    ...baseAllocations(config, storage, embedding, formatOf(headTensor(model)), input.positions),
    ...layouts.map((layout) => loraAllocations(layout, true)),
    ...layouts.map(optimizerAllocations),
    optimizerSharedAllocations(layouts),
    workspace.work,
    ...workspace.kept,
    lossAllocations(input.stepTargets),
    streamAllocations,
  ];
  return bytesByKind(sets);
}

/** Sum of a plan. */
export const totalBytes = (plan: ReadonlyMap<MemoryKind, number>): number =>
  [...plan.values()].reduce((sum, bytes) => sum + bytes, 0);

/**
 * Runs `allocate` and throws UserError with the plan's figures where the device has too little memory for what it
 * allocates.
 */
export async function withinMemory<T>(
  gpu: Gpu,
  plan: ReadonlyMap<MemoryKind, number>,
  allocate: () => Promise<T>,
): Promise<T> {
  gpu.device.pushErrorScope('out-of-memory');
  let result: T;
  try {
    result = await allocate();
  } catch (error) {
    await gpu.device.popErrorScope();
    throw error;
  }
  if (await gpu.device.popErrorScope()) throw outOfMemory(gpu, plan);
  return result;
}

function outOfMemory(gpu: Gpu, plan: ReadonlyMap<MemoryKind, number>): UserError {
  const parts = [...plan].toSorted((a, b) => b[1] - a[1]).map(([kind, bytes]) => `${kind} ${mib(bytes)}`);
  return new UserError(
    `GPU memory: this run needs ${mib(totalBytes(plan))} MiB (${parts.join(', ')}), and ${gpu.name} has less to give; lower training.max_seq_length or lora.r, or close other programs that use the GPU.`,
  );
}
