import type { Gpu } from '../gpu/device.ts';
import { compileKernels } from '../gpu/kernel.ts';
import type { RunEvent } from './events.ts';
import type { Prepared } from './input/prepare.ts';
import { neededKernels } from './plan/dry-run.ts';
import type { ExecutionPlan } from './plan/execution-plan.ts';

/** Compiles every kernel of a run before its first step, so that no step waits for one. Throws UserError. */
export async function compileRun(
  gpu: Gpu,
  prepared: Prepared,
  plan: ExecutionPlan,
  emit: (event: RunEvent) => void,
): Promise<void> {
  const rows = [...prepared.train.rows, ...prepared.evalRows];
  const shortest = rows.reduce((least, { ids }) => Math.min(least, ids.length), plan.passTokens);
  const needed = await neededKernels({ ...prepared, shortest }, plan, gpu);
  await compileKernels(gpu, needed, (done) =>
    emit({ type: 'phase', phase: 'compiling kernels', done, total: needed.length, unit: 'kernels' }),
  );
}
