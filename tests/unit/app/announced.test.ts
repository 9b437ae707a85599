import { expect, it } from 'vitest';
import { changesSaid, type Heard, testSaid, workSaid } from '../../../src/app/heard.ts';
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

it('announces the phases before the first step, but not the evaluations between steps', () => {
  const phase = { phase: 'hashing', done: 1, total: 9, unit: 'bytes' } as const;
  expect(announced({ ...newRun('v1 + rows', true), phase }, 'Getting ready')).toBe(
    'Getting ready, Hashing files.',
  );
  expect(at(10, { phase: { ...phase, phase: 'evaluating' } })).toBe('Training, 20% done.');
});

const calm: Heard = { runs: [], tests: [], testing: undefined, work: {}, storage: {} };

it('announces every tenth of a test, an export and an import', () => {
  const testing = { id: 't', name: 'q', stopping: false } as const;
  const progress = { version: 0, answered: 29, total: 100, tokensPerSecond: 1, secondsLeft: 1 };
  expect(testSaid(testing)).toBe('Testing.');
  expect(testSaid({ ...testing, progress })).toBe('Testing, 20% of the answers are there.');
  expect(workSaid({ busy: 'importing', share: '34%' })).toBe('Importing, 30% done.');
  expect(workSaid({})).toBe('');
});

it('announces what has ended and what was deleted, and nothing for what only came', () => {
  const run = { id: 'a', name: 'the first' };
  const test = { id: 't', name: 'q.json: V1', status: 'finished', versions: [] } as const;
  const testing = { id: 't', name: 'q.json', stopping: false };
  expect(changesSaid(calm, { ...calm, runs: [run], tests: [test], testing })).toBeUndefined();
  expect(changesSaid({ ...calm, testing }, { ...calm, tests: [test] })).toBe(
    'The test q.json: V1 has finished.',
  );
  expect(changesSaid({ ...calm, runs: [run] }, calm)).toBe('the first is deleted.');
  expect(changesSaid({ ...calm, work: { busy: 'packing' } }, calm)).toBe('Packing the run has ended.');
  const items = [{ key: 'base cache', name: 'base' }] as unknown as NonNullable<
    Heard['storage']['account']
  >['items'];
  const deleting = { ...calm, storage: { account: { items }, deleting: 'base cache' } };
  expect(changesSaid(deleting, calm)).toBe('base is deleted.');
  expect(changesSaid(deleting, { ...calm, storage: { refusal: 'no' } })).toBeUndefined();
});
