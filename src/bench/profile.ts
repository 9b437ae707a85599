import { Profiler } from '../gpu/profiler.ts';
import type { Session } from '../run/session.ts';
import type { Pass } from '../text/packing.ts';
import type { Ceilings } from './ceilings.ts';
import { attentionShare, counting } from './counts.ts';
import { type ModelName, modelTitle } from './models.ts';
import { matrixCells, matrixColumn, rateCells, type ReportSection } from './report.ts';
import { keptNote } from './step-session.ts';

/** One step by kernel: times from timestamp queries if the device has them; counts in any case. */
export async function profileStep(
  { stream, runner, optimizer, plan }: Session,
  name: ModelName,
  pass: Pass,
  ceilings: Ceilings,
): Promise<ReportSection> {
  const { gpu } = stream;
  const timed = gpu.device.features.has('timestamp-query');
  const { kernels, listener } = counting(attentionShare([pass]));
  stream.listener = listener;
  const profiler = timed ? new Profiler(gpu) : undefined;
  stream.profiler = profiler;
  await runner.train([pass], optimizer, { t: 1, learningRate: 0, seed: 1, epoch: 0 });
  stream.listener = undefined;
  stream.profiler = undefined;
  await profiler?.finish();
  profiler?.close();
  const total = [...(profiler?.times.values() ?? [])].reduce((sum, { seconds }) => sum + seconds, 0);
  const rows = [...kernels].map(([kernel, { calls, work, bytes }]) => {
    const seconds = profiler?.times.get(kernel)?.seconds ?? NaN;
    return { kernel, calls, work, bytes, seconds };
  });
  rows.sort((a, b) => (timed ? b.seconds - a.seconds : b.work - a.work));
  return {
    name: 'kernels',
    title: `One step of ${modelTitle(name)}, ${plan.precision}, at ${pass.ids.length} tokens, by kernel`,
    columns: [
      '',
      'calls',
      'GFLOP',
      'GB bound',
      'ms',
      '% of time',
      'GFLOP/s',
      '% of f32 ceiling',
      ...matrixColumn(ceilings),
      'GB/s',
      '% of copy',
    ],
    rows: rows.map(({ kernel, calls, work, bytes, seconds }) => [
      kernel,
      calls,
      work / 1e9,
      bytes / 1e9,
      { speed: 1000 * seconds },
      { speed: (100 * seconds) / total, digits: 1 },
      ...(work > 0 ? rateCells(work, seconds, ceilings.work) : ['', '']),
      ...matrixCells(work, seconds, ceilings, /_matrix /.test(kernel)),
      { speed: bytes / seconds / 1e9 },
      { speed: (100 * bytes) / seconds / ceilings.bytes, digits: 0 },
    ]),
    notes: [
      keptNote(plan),
      timed
        ? 'Each dispatch in a separate pass, with timestamps around it.'
        : 'This device has no timestamp queries: counts only.',
    ],
  };
}
