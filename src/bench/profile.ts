import { Profiler } from '../gpu/profiler.ts';
import type { Session } from '../run/session.ts';
import type { Pass } from '../text/packing.ts';
import { cardNamed } from './cards.ts';
import type { Ceilings } from './ceilings.ts';
import { type Compiled, shippedCompiled } from './compiled.ts';
import { attentionShare, counting, isAttention } from './counts.ts';
import { type KernelRow, kernelsTable, type RowsForecast } from './kernels-table.ts';
import { type ModelName, modelTitle } from './models.ts';
import type { ReportSection } from './report.ts';
import { forecastCalls, gathering, type StepCall } from './step-calls.ts';
import { keptNote } from './step-session.ts';

/**
 * One step by kernel: times from timestamp queries if the device has them, on a known card the forecast beside them;
 * counts in any case. `compiled`: what compilers made of the kernels; by default what comes with the program.
 */
export async function profileStep(
  { stream, runner, optimizer, plan }: Session,
  name: ModelName,
  pass: Pass,
  ceilings: Ceilings,
  compiled?: Compiled,
): Promise<ReportSection> {
  const { gpu } = stream;
  const timed = gpu.device.features.has('timestamp-query');
  const share = attentionShare([pass]);
  const { kernels, listener } = counting(share);
  const gathered = gathering();
  stream.listener = (...call) => {
    listener(...call);
    gathered.listener(...call);
  };
  const profiler = timed ? new Profiler(gpu) : undefined;
  stream.profiler = profiler;
  await runner.train([pass], optimizer, { t: 1, learningRate: 0, seed: 1, epoch: 0 });
  stream.listener = undefined;
  stream.profiler = undefined;
  await profiler?.finish();
  profiler?.close();
  const rows = [...kernels].map(([kernel, counts]): KernelRow => ({
    kernel,
    ...counts,
    seconds: profiler?.times.get(kernel)?.seconds ?? NaN,
  }));
  const { columns, cells, notes } = kernelsTable(
    rows,
    ceilings,
    await forecastOf(gpu.name, compiled, gathered.calls, share),
  );
  return {
    name: 'kernels',
    title: `One step of ${modelTitle(name)}, ${plan.precision}, at ${pass.ids.length} tokens, by kernel`,
    columns,
    rows: cells,
    notes: [
      keptNote(plan),
      timed
        ? 'Each dispatch in a separate pass, with timestamps around it.'
        : 'This device has no timestamp queries: counts only.',
      ...notes,
    ],
  };
}

/** What a known card is expected to take for these calls; undefined for others. */
async function forecastOf(
  gpu: string,
  compiled: Compiled | undefined,
  calls: readonly StepCall[],
  share: number,
): Promise<RowsForecast | undefined> {
  const card = cardNamed(gpu);
  if (!card) {
    return undefined;
  }
  const figures = compiled ?? (await shippedCompiled());
  const within = calls.map((call) =>
    isAttention(call.kernel) ? { ...call, work: share * call.work } : call,
  );
  return { card, date: figures[card.target]?.date, ...forecastCalls(card, figures, within) };
}
