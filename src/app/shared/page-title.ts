import { visibleText } from '../../formats/visible-text.ts';
import { showShare } from '../../formats/words.ts';
import { isActive, type RunState } from './app-state.ts';

/** Characters of a name that a title keeps: a tab shows some twenty, a history a line. */
const MAX_NAME = 60;

/**
 * The tab's title: progress first, since tabs are narrow, then what is shown. A run that ended at an earlier visit has
 * no part in it but where it is shown itself, `isShown`.
 */
export function pageTitle(run: RunState | undefined, shown = '', isShown = true): string {
  const counts = run && (isShown || isActive(run) || run.facts !== undefined || run.status === 'failed');
  const state = counts ? runState(run) : '';
  const name = shown.length > MAX_NAME ? `${shown.slice(0, MAX_NAME)}…` : shown;
  return [state, visibleText(name), 'Retune'].filter(Boolean).join(' · ');
}

function runState({ status, progress, phase }: RunState): string {
  const share = progress ? ` ${showShare(progress.step, progress.maxSteps)}` : '';
  switch (status) {
    case 'finished':
      return 'Done';
    case 'failed':
      return 'Action needed';
    case 'stopped':
      return `Stopped${share}`;
    case 'paused':
      return `Paused${share}`;
    default:
      if (phase) {
        return `${showShare(phase.done, phase.total)} ${phase.phase}`;
      }
      return progress ? `${share.trim()} · loss ${progress.loss.toFixed(3)}` : 'Starting';
  }
}
