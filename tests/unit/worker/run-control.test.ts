import { expect, it } from 'vitest';
import { RunControl } from '../../../src/worker/run-control.ts';

const never = new AbortController().signal;
/** Whether a promise is still open once everything that could settle it at once has run. */
const isOpen = async (promise: Promise<void>): Promise<boolean> => {
  const open = Symbol();
  const later = new Promise((resolve) => setTimeout(() => resolve(open), 5));
  return (await Promise.race([promise, later])) === open;
};
const noSave = undefined;

it('lets a run go on that nobody paused', async () => {
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
  control.checkpointNow();
  expect(await isOpen(held)).toBe(true);
  expect(saved).toBe(1);
  control.unpause();
  await held;
  await control.hold(save, never);
  expect(saved).toBe(1);
});

it('keeps the request for a checkpoint until one can be had', async () => {
  const control = new RunControl();
  let saved = 0;
  control.checkpointNow();
  await control.hold(noSave, never);
  await control.hold(() => Promise.resolve(void saved++), never);
  expect(saved).toBe(1);
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
