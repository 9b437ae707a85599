import { bytesByKind } from '../model/allocations.ts';
import { loraAllocations, loraLayout } from '../model/lora.ts';
import { memoryPlan, totalBytes } from '../run/memory-plan.ts';
import { prepare, type Prepared } from '../run/prepare.ts';
import { passTokens } from '../run/run-plan.ts';
import { planInput } from '../run/session.ts';
import { storageEstimate } from '../storage/quota.ts';
import { optimizerAllocations } from '../train/optimizer.ts';
import { runInputs } from './files.ts';
import type { ChosenInputs, PlanFacts } from './protocol.ts';

/** What a run of these inputs will take, before a device is touched. Throws UserError where an input is not sound. */
export async function plan(inputs: ChosenInputs): Promise<PlanFacts> {
  const prepared = await prepare(runInputs(inputs), () => undefined);
  const { longest, windowTokens, maxSteps } = prepared;
  const bytes = memoryPlan(planInput(prepared, { passTokens: passTokens(longest, windowTokens) }));
  return {
    bytes: [...bytes],
    total: totalBytes(bytes),
    maxSteps,
    checkpointBytes: checkpointBytes(prepared),
    storageLeft: (await storageEstimate()).left,
  };
}

/** The adapter's masters and the optimizer's state; what comes beside them is small. */
function checkpointBytes({ model, adapter }: Prepared): number {
  const modules = adapter.weights.map(({ module }) => module);
  const layouts = Array.from({ length: model.config.layers }, (_, layer) =>
    loraLayout(modules.filter((module) => module.layer === layer)),
  );
  return totalBytes(
    bytesByKind([
      ...layouts.map((layout) => loraAllocations(layout, false)),
      ...layouts.map(optimizerAllocations),
    ]),
  );
}
