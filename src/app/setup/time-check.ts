import { showCount, showSeconds } from '../../formats/words.ts';
import type { Check } from '../elements/check-list.ts';
import type { AppState } from '../shared/app-state.ts';
import { unmeasuredTime } from './unmeasured-time.ts';

const TIME = { title: 'Time', aside: true } as const;
const DAY_MS = 86_400_000;

/** How long the run as planned takes. No start waits for it. */
export function timeCheck(state: AppState): Check[] {
  const { plan, planning, measured, device, recipe } = state;
  const { measuring, speed, refusal, outdated } = measured;
  if (measuring) {
    const detail = outdated ? `${outdated} ${measuring}` : measuring;
    return [{ ...TIME, state: 'busy', detail, cancel: 'speed' }];
  }
  if (planning && (speed ?? outdated)) {
    return [{ ...TIME, state: 'busy', detail: 'Calculating…' }];
  }
  if (!plan?.ok || !device?.ok) {
    return [];
  }
  if (speed) {
    const { tokensPerSecond, time } = speed;
    const seconds = showSeconds(plan.value.work / tokensPerSecond);
    const rate = `${showCount(Math.round(tokensPerSecond))} tokens per second`;
    const besides = recipe?.training.samplePrompts ? ', besides answering the sample prompts' : '';
    const detail = `About ${seconds}${besides}, at ${rate}${measuredOn(time)}.`;
    return [{ ...TIME, state: 'good', detail, again: 'speed', act: 'Measure again' }];
  }
  if (refusal !== undefined) {
    return [{ ...TIME, state: 'warn', detail: refusal, again: 'speed' }];
  }
  const rough = unmeasuredTime(state);
  if (!outdated) {
    return rough ? [{ ...rough, ...TIME }] : [];
  }
  const detail = [outdated, rough?.detail].filter(Boolean).join(' ');
  return [{ ...TIME, state: 'warn', detail, again: 'speed', act: 'Measure again' }];
}

/** What was measured at an earlier visit says when. */
function measuredOn(time: number): string {
  return Date.now() - time < DAY_MS
    ? ''
    : `, measured on ${new Date(time).toLocaleDateString('en-US', { dateStyle: 'medium' })}`;
}
