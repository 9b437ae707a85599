import { createHash } from 'node:crypto';
import { nodeFolder, nodeSource } from '../../src/cli/node-files.ts';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import { parseRecipe, type Recipe } from '../../src/formats/recipe.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import type { RunEvent } from '../../src/run/events.ts';
import { finetune } from '../../src/run/finetune.ts';
import type { RunInputs } from '../../src/run/input/run-inputs.ts';
import type { FinetuneOptions, FinetuneResult } from '../../src/run/options.ts';
import { fixtureBytes, fixtureFiles, type MemoryFiles, memoryFolder } from './memory-folder.ts';
import type { MemoryStore } from './memory-store.ts';
import { type CaseName, casePath } from './model-case.ts';

/** The inputs of a reference case; `change` alters the recipe. */
export async function caseInputs(
  name: CaseName,
  change: (recipe: Recipe) => Recipe = (r) => r,
): Promise<RunInputs> {
  const text = new TextDecoder().decode(fixtureBytes(`cases/${name}/training_config.yaml`));
  return {
    base: await nodeFolder(casePath(name, 'base')),
    source: await nodeFolder(casePath(name, 'v1')),
    train: await nodeSource(casePath(name, 'train.jsonl')),
    validation: await nodeSource(casePath(name, 'val.jsonl')),
    recipe: change(parseRecipe(text, 'training_config.yaml').recipe),
  };
}

/** The inputs of a case whose adapter has LoRA dropout, which none of them has originally. */
export async function dropoutInputs(
  name: CaseName,
  dropout: number,
  change?: (recipe: Recipe) => Recipe,
): Promise<RunInputs> {
  const files = fixtureFiles(`cases/${name}/v1`);
  const config = JSON.parse(new TextDecoder().decode(files['adapter_config.json'] as Uint8Array)) as object;
  files['adapter_config.json'] = JSON.stringify({ ...config, lora_dropout: dropout });
  return { ...(await caseInputs(name, change)), source: memoryFolder('v1', files) };
}

export type RunCall = Partial<FinetuneOptions> & { inputs: RunInputs; store: MemoryStore };
export type RunOutcome = FinetuneResult & { events: RunEvent[] };

/** Runs a fine-tuning on a separate device, as each start of a process does. */
export async function run(call: RunCall): Promise<RunOutcome> {
  const gpu = await openNodeGpu('floor');
  try {
    return await runOn(gpu, call);
  } finally {
    gpu.close();
  }
}

/** Runs a fine-tuning on a device that stays open. */
export async function runOn(gpu: Gpu, call: RunCall): Promise<RunOutcome> {
  const events: RunEvent[] = [];
  const result = await finetune({
    resume: 'exact',
    openGpu: () => Promise.resolve(gpu),
    ...call,
    emit: (event) => {
      events.push(event);
      call.emit?.(event);
    },
  });
  if (gpu.errors.length > 0) {
    throw new Error(gpu.errors.join('\n'));
  }
  return { ...result, events };
}

/**
 * What must be the same however often a run was stopped: times and speeds are left out, and bytes are there by their
 * hash, since a difference of half a million bytes takes ten minutes to print.
 */
export function comparable(files: MemoryFiles): Record<string, unknown> {
  const json = (name: string) => JSON.parse(new TextDecoder().decode(files[name] as Uint8Array)) as object;
  const timeless = (entry: object) =>
    Object.fromEntries(Object.entries(entry).filter(([key]) => !/runtime|per_second/.test(key)));
  const state = json('trainer_state.json') as { log_history: object[] };
  const cursor: Record<string, unknown> = { ...json('retune_state.json') };
  delete cursor.logTimes;
  delete cursor.files;
  const hash = (name: string) => {
    const bytes = files[name] as Uint8Array | undefined;
    return bytes && createHash('sha256').update(bytes).digest('hex');
  };
  return {
    adapter: hash('adapter_model.safetensors'),
    config: hash('adapter_config.json'),
    optimizer: hash('optimizer.safetensors'),
    state: { ...state, log_history: state.log_history.map(timeless) },
    cursor,
  };
}
