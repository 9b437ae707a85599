import type { RunRecord } from '../../engine/protocol/protocol.ts';
import { isActive, type RunState } from '../shared/app-state.ts';
import { phaseText } from '../shared/run-events.ts';
import { tenths } from '../shared/tenths.ts';
import { resultName } from '../shared/version-names.ts';

const TITLES = {
  starting: 'Getting ready',
  running: 'Training',
  pausing: 'Pausing…',
  paused: 'Paused',
  stopping: 'Stopping with a checkpoint…',
  stopped: 'Stopped',
  failed: 'The run failed',
} as const satisfies Record<Exclude<RunState['status'], 'finished'>, string>;

/** The state of a run, as its heading says it. */
export const runTitle = ({ status, id }: RunState, runs: readonly RunRecord[]): string =>
  status === 'finished' ? `${resultName(id, runs)} is ready` : TITLES[status];

/** What a screen reader is told of a run: its state, every tenth of its progress, and each checkpoint. */
export function announced(run: RunState, title: string): string {
  const { progress, checkpoints, status, phase } = run;
  const last = checkpoints.at(-1);
  const parts = [title];
  if (status === 'starting' && phase) {
    parts.push(phaseText(phase.phase));
  }
  if (progress && isActive(run)) {
    parts.push(`${tenths(progress.step, progress.maxSteps)} done`);
  }
  if (last && isActive(run)) {
    parts.push(`checkpoint of step ${last.step} kept`);
  }
  return `${parts.join(', ')}.`;
}
