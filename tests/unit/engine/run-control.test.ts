import { expect, it } from 'vitest';
import { RunControl } from '../../../src/engine/runs/run-control.ts';

const never = new AbortController().signal;
/** Whether a promise is still pending once everything that could settle it at once has run. */
const isOpen = async (promise: Promise<void>): Promise<boolean> => {
  const open = Symbol();
  const later = new Promise((resolve) => setTimeout(() => resolve(open), 5));
  return (await Promise.race([promise, later])) === open;
};
const noSave = () => Promise.resolve();

it('does not hold a run that is not paused', async () => {
  await new RunControl().hold(noSave, never);
});

it('holds a paused run until it is unpaused', async () => {
  const control = new RunControl();
  control.pause();
  const held = control.hold(noSave, never);
  expect(await isOpen(held)).toBe(true);
  control.unpause();
  await held;
});

it('keeps the checkpoint that is asked for, once, also while the run pauses', async () => {
  const control = new RunControl();
  let saved = 0;
  const save = () => Promise.resolve(void saved++);
  control.pause();
  const held = control.hold(save, never);
  const kept = [control.checkpointNow(), control.checkpointNow()];
  expect(await isOpen(held)).toBe(true);
  await Promise.all(kept);
  expect(saved).toBe(1);
  control.unpause();
  await held;
  await control.hold(save, never);
  expect(saved).toBe(1);
});

it('keeps a checkpoint for rescue once the latest is ten minutes old', async () => {
  let minutes = 0;
  const control = new RunControl(() => minutes * 60_000);
  const saved: string[] = [];
  const save = (rescue?: boolean) => {
    saved.push(`${rescue ? 'rescue' : 'asked'} ${minutes}`);
    control.checkpointKept();
    return Promise.resolve();
  };
  const passes = async (...at: number[]) => {
    for (minutes of at) {
      await control.hold(save, never);
    }
  };
  await passes(100, 109, 110, 110, 119);
  void control.checkpointNow();
  await passes(119, 120, 128, 129, 138);
  expect(saved).toEqual(['rescue 110', 'asked 119', 'rescue 129']);
});

it('a stop ends a pause', async () => {
  const control = new RunControl();
  control.pause();
  const held = control.hold(noSave, never);
  control.stop();
  await held;
  expect(control.signal.aborted).toBe(true);
});

it('a lost device ends its pause, and the next attempt still pauses', async () => {
  const control = new RunControl();
  const gone = new AbortController();
  control.pause();
  const first = control.hold(noSave, gone.signal);
  const second = control.hold(noSave, never);
  gone.abort();
  await first;
  expect(await isOpen(second)).toBe(true);
  control.unpause();
  await second;
});
