import { expect, it } from 'vitest';
import type { RunState } from '../../../src/app/shared/app-state.ts';
import { newRun } from '../../../src/app/shared/run-events.ts';
import { announced } from '../../../src/app/training/announced.ts';

const at = (step: number, more: Partial<RunState> = {}): string => {
  const progress = { step, maxSteps: 50 } as RunState['progress'];
  return announced({ ...newRun('v1 + rows', true), status: 'running', progress, ...more }, 'Training');
};

it('announces every tenth of a run, and not every step', () => {
  expect([1, 4, 5, 9, 10].map((step) => at(step))).toEqual([
    'Training, 0% done.',
    'Training, 0% done.',
    'Training, 10% done.',
    'Training, 10% done.',
    'Training, 20% done.',
  ]);
});

it('announces a checkpoint once it is kept, and nothing but the state of a run that has ended', () => {
  const checkpoints = [{ step: 8, bytes: 1 }];
  expect(at(9, { checkpoints })).toBe('Training, 10% done, checkpoint of step 8 kept.');
  expect(at(50, { checkpoints, status: 'finished' })).toBe('Training.');
  expect(announced(newRun('v1 + rows', true), 'Getting ready')).toBe('Getting ready.');
});
