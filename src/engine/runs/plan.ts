import { stateBits } from '../../formats/recipe/training.ts';
import { UserError } from '../../formats/user-error.ts';
import type { Gpu } from '../../gpu/device.ts';
import { withDevice } from '../../gpu/with-device.ts';
import { bytesByKind } from '../../model/allocations.ts';
import { loraAllocations, loraLayout } from '../../model/lora.ts';
import { NO_ADAPTER, requestGpu } from '../../platform/browser-gpu.ts';
import { savesBest } from '../../run/checkpoint/saved-best.ts';
import { advise } from '../../run/checks/advise.ts';
import type { RunEvent } from '../../run/events.ts';
import { prepare, type Prepared } from '../../run/input/prepare.ts';
import { chooseMemory, keptWhole, withChoice } from '../../run/plan/memory-choice.ts';
import { memoryPlan, totalBytes } from '../../run/plan/memory-plan.ts';
import { passInputOf } from '../../run/plan/new-execution-plan.ts';
import { largestInput, passInput, sizedInput } from '../../run/plan/pass-size.ts';
import { speedConditions, workOf } from '../../run/training-speed.ts';
import { type TrainingSpeed, warmUp, type WarmUpOptions } from '../../run/warm-up.ts';
import { storageEstimate } from '../../storage/quota.ts';
import { dueAfter } from '../../train/cadence.ts';
import { stateAllocations } from '../../train/optimizer-state.ts';
import { runInputs } from '../files/files.ts';
import type { ChosenInputs, PlanDevice, PlanFacts } from '../protocol/protocol.ts';
import { given, watchedInputs } from '../watch.ts';

/** Where there is no device the page already says so. */
const UNKNOWN: PlanDevice = { budget: undefined, software: true, bindingBytes: Infinity };

/** The memory plan of a run of these inputs. Throws UserError where an input is invalid. */
export async function plan(
  inputs: ChosenInputs,
  { budget, software, bindingBytes, precision }: PlanDevice = UNKNOWN,
  signal?: AbortSignal,
): Promise<PlanFacts> {
  const prepared = await prepare(watchedInputs(runInputs(inputs), { signal }), () =>
    signal?.throwIfAborted(),
  );
  const asked = passInputOf(prepared, precision);
  const input = budget === undefined ? passInput(asked) : sizedInput(asked, budget, bindingBytes);
  // Free memory is measured at the start only.
  const choice = chooseMemory(input, { budget, fill: false });
  const bytes = memoryPlan(withChoice(input, choice));
  return {
    bytes: [...bytes],
    total: totalBytes(bytes),
    ...(budget === undefined && !software && { most: keptWhole(largestInput(asked, bindingBytes)) }),
    maxSteps: prepared.maxSteps,
    checkpointBytes: checkpointBytes(prepared),
    checkpointsKept: checkpointsKept(prepared),
    storageLeft: (await storageEstimate()).left,
    advisories: await advise(prepared),
    work: workOf(prepared),
    speedConditions: speedConditions(prepared),
  };
}

/** Measures how fast this device trains with these inputs. Throws UserError, or the reason of `signal`. */
export async function measureSpeed(
  inputs: ChosenInputs,
  onEvent: (event: RunEvent) => void,
  options: WarmUpOptions,
  signal?: AbortSignal,
): Promise<TrainingSpeed> {
  const openGpu = async (): Promise<Gpu> => {
    const gpu = await requestGpu();
    if (!gpu) {
      throw new UserError(NO_ADAPTER);
    }
    return gpu;
  };
  const lost = ({ name }: Gpu, why: string) => new UserError(`${name} was lost (${why}); try again.`);
  return withDevice(openGpu, lost, async (open) => {
    // Before anything is read: without a device there is nothing to measure.
    const gpu = await open();
    const watched = watchedInputs(runInputs(inputs), { signal });
    const measuring = warmUp(watched, () => Promise.resolve(gpu), onEvent, options);
    return Promise.race([measuring, ...(signal ? [given(signal)] : [])]);
  });
}

/** Those of the whole run where the recipe keeps all; with a limit, one more for the best, and one beside them. */
function checkpointsKept({ inputs, maxSteps, grouping, evalRows }: Prepared): number {
  const { saveTotalLimit, saveStrategy: strategy, saveSteps: steps } = inputs.recipe.training;
  const { loadBestModelAtEnd, metricForBestModel } = inputs.recipe.training;
  const due = dueAfter({ strategy, steps }, { maxSteps, grouping }, { atEnd: true });
  const all = Array.from({ length: maxSteps }, (_, i) => due(i + 1)).filter(Boolean).length;
  const best = loadBestModelAtEnd || metricForBestModel !== undefined ? 1 : 0;
  const beside = evalRows.length > 0 && savesBest(inputs.recipe.training) ? 1 : 0;
  return beside + (saveTotalLimit === 0 ? all : Math.min(all, Math.max(saveTotalLimit, 1 + best)));
}

/** The adapter's masters and the optimizer's state; what comes beside them is small. */
function checkpointBytes({ model, adapter, inputs }: Prepared): number {
  const modules = adapter.weights.map(({ module }) => module);
  const layouts = Array.from({ length: model.config.layers }, (_, layer) =>
    loraLayout(
      modules.filter((module) => module.layer === layer),
      stateBits(inputs.recipe.training),
    ),
  );
  return totalBytes(
    bytesByKind([
      ...layouts.map((layout) => loraAllocations(layout, false)),
      ...stateAllocations(layouts, 'resident'),
    ]),
  );
}
