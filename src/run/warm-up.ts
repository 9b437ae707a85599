import type { Gpu } from '../gpu/device.ts';
import { packWindow } from '../text/packing.ts';
import { rowWindows } from '../train/packs.ts';
import { compileRun } from './compile-kernels.ts';
import type { DeviceKey } from './device-settings.ts';
import type { RunEvent } from './events.ts';
import { prepare } from './input/prepare.ts';
import type { RunInputs } from './input/run-inputs.ts';
import type { FinetuneOptions } from './options.ts';
import { newExecutionPlan } from './plan/new-execution-plan.ts';
import { loadInputs, openSession } from './session.ts';

/** The training speed of a device. */
export interface TrainingSpeed {
  tokensPerSecond: number;
}

/** As for a run. */
export type WarmUpOptions = Pick<FinetuneOptions, 'baseCache' | 'tuning' | DeviceKey>;

/**
 * Trains twice on one pass of the first step, timing the second, and discards the outcome. The caller closes the
 * device. Throws UserError.
 */
export async function warmUp(
  inputs: RunInputs,
  openGpu: () => Promise<Gpu>,
  emit: (event: RunEvent) => void,
  options: WarmUpOptions = {},
): Promise<TrainingSpeed> {
  const opened = await prepare(inputs, emit);
  const cache = await options.baseCache?.slot(opened.model, inputs.recipe.quantization.useDoubleQuant);
  const prepared = { ...opened, cache };
  const { train, adapter } = prepared;
  const { seed } = inputs.recipe;
  const gpu = await openGpu();
  const plan = await newExecutionPlan(gpu, prepared, { ...options, emit });
  // Hashed while read, so that the cache stores it for the run.
  const onContent = cache && cache.content === undefined ? () => undefined : undefined;
  const load = () => loadInputs(gpu, prepared, plan, emit, onContent);
  const { runner, optimizer } = await openSession(gpu, prepared, plan, adapter.weights, emit, load);
  await compileRun(gpu, prepared, plan, emit);
  const placed = rowWindows(
    prepared,
    seed,
  )(1)
    .rows.flat()
    .map((index) => ({ row: train.rows[index]!, index }));
  const passes = packWindow(placed, plan.passTokens).slice(0, 1);
  const call = { learningRate: 0, seed, epoch: 0 };
  // The first pass wakes the device up.
  await runner.train(passes, optimizer, { ...call, t: 1 });
  const begun = performance.now();
  const { tokens } = await runner.train(passes, optimizer, { ...call, t: 2 });
  return { tokensPerSecond: (1000 * tokens) / (performance.now() - begun) };
}
