import { mib } from '../gpu/memory.ts';
import { openNullGpu } from '../gpu/null-device.ts';
import { plainPass } from '../run/plan/dry-run.ts';
import { newExecutionPlanOf } from '../run/plan/execution-plan.ts';
import { DEFAULT_BUDGET_BYTES } from '../run/plan/memory-choice.ts';
import { withMemory } from '../run/session.ts';
import { countStep } from './counts.ts';
import { benchInputs, type ModelName, modelTitle } from './models.ts';
import type { ReportSection } from './report.ts';
import { keptLayers, LEVELS_NOTE } from './step-session.ts';

/**
 * The work of a step, with WebGPU's guaranteed limits and features. `memory`: bytes it may take; by default what a
 * run on a GPU takes. Throws UserError if that is too little.
 */
export async function countModel(
  name: ModelName,
  lengths: readonly number[],
  memory?: number,
): Promise<ReportSection> {
  const rows = [];
  for (const tokens of lengths) {
    const inputs = benchInputs(name, tokens, tokens);
    const plan = withMemory(newExecutionPlanOf(openNullGpu(), tokens), openNullGpu(), inputs, memory);
    const counts = await countStep(inputs, plan, [plainPass(tokens)]);
    const { forward, backward, recompute, dispatches, bytes, gpuBytes } = counts;
    const perToken = (work: number) => work / tokens / 1e9;
    rows.push([
      `1 row of ${tokens}`,
      dispatches,
      perToken(forward),
      perToken(backward),
      perToken(recompute),
      perToken(forward + backward + recompute),
      bytes / 1e9,
      gpuBytes / 2 ** 20,
      keptLayers(plan),
      plan.optimizer === 'paged' ? 'paged to the host' : 'on the device',
    ]);
  }
  return {
    name: 'counts',
    title: `A step of ${modelTitle(name)}, counted: GFLOP per token`,
    columns: [
      '',
      'dispatches',
      'forward',
      'backward',
      'recompute',
      'all',
      'GB bound',
      'GPU MiB',
      'kept',
      'optimizer state',
    ],
    rows,
    notes: [
      'GB bound: the sizes of all buffer ranges of all dispatches.',
      memory === undefined
        ? `Kept for the backward pass: what a run keeps within ${mib(DEFAULT_BUDGET_BYTES)} MiB, or level 1 where that takes more, as long as no --memory is given.`
        : `Kept for the backward pass: what a run keeps within ${mib(memory)} MiB.`,
      LEVELS_NOTE,
    ],
  };
}
