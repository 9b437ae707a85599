import { expect, it } from 'vitest';
import type { RowProgress, RunEvent } from '../../../src/run/events.ts';
import { Speedometer } from '../../../src/run/speedometer.ts';
import { WithinStep } from '../../../src/run/within-step.ts';
import { packWindow } from '../../../src/text/packing.ts';

/** Four rows of 6, 2, 3 and 5 tokens in passes of up to 8: 8 tokens of two rows, 8 of two. */
const rows = [6, 2, 3, 5].map((length, index) => ({
  index,
  row: { ids: Uint32Array.from({ length }, (_, i) => i), trained: Array.from({ length }, () => true) },
}));
const passes = packWindow(rows as unknown as Parameters<typeof packWindow>[0], 8);

/** What is told of a step whose passes end after so many seconds. */
function told(seconds: number[], speed = new Speedometer()): RowProgress[] {
  const heard: RunEvent[] = [];
  const within = new WithinStep([...passes, ...passes], { step: 3, maxSteps: 5 });
  for (const at of seconds) {
    within.passed(at, speed, (event) => void heard.push(event));
  }
  return heard.flatMap((event) => (event.type === 'rows' ? [event.progress] : []));
}

it('tells rows, speed and time left of a long step, by itself until a step has ended', () => {
  expect(told([4, 8, 12, 16])).toEqual([
    // 32 tokens a step at 2 a second: 24 of this one and two more steps.
    { step: 3, maxSteps: 5, done: 2, total: 8, tokensPerSecond: 2, secondsLeft: (24 + 64) / 2 },
    { step: 3, maxSteps: 5, done: 4, total: 8, tokensPerSecond: 2, secondsLeft: (16 + 64) / 2 },
    { step: 3, maxSteps: 5, done: 6, total: 8, tokensPerSecond: 2, secondsLeft: (8 + 64) / 2 },
  ]);
});

it('keeps to the speed and length of the steps before', () => {
  const speed = new Speedometer();
  speed.add(20, 5);
  expect(told([4, 8, 12, 16], speed)[1]).toMatchObject({ tokensPerSecond: 4, secondsLeft: (16 + 40) / 4 });
});

it('tells nothing of a step that is over at once', () => {
  expect(told([0.1, 0.2, 1.9, 60])).toEqual([]);
  expect(told([1, 1.9, 2.1, 60])).toHaveLength(1);
});
