import { showShare } from '../../formats/words.ts';
import type { RunState } from './app-state.ts';

/** The tab's title: progress first, since tabs are narrow. */
export function pageTitle(run: RunState | undefined): string {
  if (!run) {
    return 'Retune';
  }
  const { status, progress, phase } = run;
  const share = progress ? showShare(progress.step, progress.maxSteps) : '';
  if (status === 'finished') {
    return 'Done · Retune';
  }
  if (status === 'failed') {
    return 'Action needed · Retune';
  }
  if (status === 'stopped') {
    return `Stopped ${share} · Retune`;
  }
  if (status === 'paused') {
    return `Paused ${share} · Retune`;
  }
  if (phase) {
    return `${showShare(phase.done, phase.total)} ${phase.phase} · Retune`;
  }
  if (progress) {
    return `${share} · loss ${progress.loss.toFixed(3)} · Retune`;
  }
  return 'Starting · Retune';
}
