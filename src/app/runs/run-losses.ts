import type { RunRecord } from '../../engine/protocol/protocol.ts';
import type { ChartSeries } from '../elements/line-chart.ts';

export type LossKind = 'loss' | 'eval_loss';

/** A run's logged losses of a kind, by step. */
export const lossPoints = ({ log }: RunRecord, kind: LossKind): (readonly [step: number, loss: number])[] =>
  log.flatMap((entry) => (entry[kind] === undefined ? [] : [[entry['step']!, entry[kind]] as const]));

/** One run's losses as lines of a plot. */
export function lossSeries(run: RunRecord): ChartSeries[] {
  const lines: ChartSeries[] = [
    { name: 'loss', color: '--plot-1', points: lossPoints(run, 'loss') },
    { name: 'eval loss', color: '--plot-2', dashed: true, exact: true, points: lossPoints(run, 'eval_loss') },
  ];
  return lines.filter(({ points }) => points.length > 0);
}

const COLOURS = ['--plot-1', '--plot-2', '--plot-3', '--plot-4', '--plot-5', '--plot-6'] as const;
const DASHES = [undefined, [8, 4], [2, 4], [12, 4, 2, 4], [5, 3], [16, 6]] as const;

/** As many runs as have a color and a dash of their own in one plot. */
export const MAX_OVERLAID = COLOURS.length;

/** Several runs' losses in one plot, told apart by color and by dash. */
export const overlaid = (runs: readonly RunRecord[], kind: LossKind): ChartSeries[] =>
  runs.slice(0, MAX_OVERLAID).map((run, i) => {
    const dashes = DASHES[i];
    return {
      name: run.name,
      color: COLOURS[i]!,
      exact: kind === 'eval_loss',
      points: lossPoints(run, kind),
      ...(dashes ? { dashed: dashes } : {}),
    };
  });
