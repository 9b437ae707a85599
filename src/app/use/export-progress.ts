import { showBytes, showSeconds } from '../../formats/words.ts';
import { tenths } from '../shared/tenths.ts';

/** An export under way. */
export interface ExportProgress {
  phase: 'hashing' | 'writing';
  /** In bytes. */
  done: number;
  total: number;
  /** Bytes per second; undefined until it is known. */
  perSecond: number | undefined;
  /** It was canceled, and what it has written is being removed. */
  canceled: boolean;
}

const PHASES = { hashing: 'Checking that this is the base', writing: 'Writing' } as const;

export const phaseOf = ({ phase, canceled }: ExportProgress): string =>
  canceled ? 'Canceling' : PHASES[phase];

/** "1.2 GiB of 2.9 GiB · 48.0 MiB/s · 37 s left". */
export function progressText({ done, total, perSecond }: ExportProgress): string {
  const amount = `${showBytes(done)} of ${showBytes(total)}`;
  if (perSecond === undefined) {
    return `${amount} · estimating time left…`;
  }
  const left = perSecond > 0 ? `${showSeconds((total - done) / perSecond)} left` : 'waiting';
  return `${amount} · ${showBytes(perSecond)}/s · ${left}`;
}

/** What a screen reader is told of it: the phase, and every tenth. */
export function announcedExport(progress: ExportProgress): string {
  return `${phaseOf(progress)}, ${tenths(progress.done, progress.total)} done.`;
}
