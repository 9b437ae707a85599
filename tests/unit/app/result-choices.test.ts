import { expect, it } from 'vitest';
import { resultChoices } from '../../../src/app/shared/result-choices.ts';
import type { RunRecord } from '../../../src/engine/protocol/protocol.ts';

const run = {
  status: 'finished',
  step: 60,
  checkpoints: [20, 40, 60].map((step) => ({ step, bytes: 1 })),
  log: [20, 40, 60].map((step, i) => ({ step, epoch: 1, eval_loss: [3, 1, 2][i] })),
} as unknown as RunRecord;

it('what was taken comes first, then the result, then other checkpoints', () => {
  expect(resultChoices(run)).toEqual([
    { step: undefined, label: 'step 60, the last' },
    { step: 40, label: 'step 40, the best' },
    { step: 20, label: 'step 20' },
  ]);
  const taken = { step: 20, hash: 'h' };
  expect(resultChoices({ ...run, taken })[0]).toEqual({ step: 20, label: 'step 20, taken' });
  expect(resultChoices({ ...run, taken, status: 'unfinished' }).map(({ step }) => step)).toEqual([
    20, 60, 40,
  ]);
  const falling = [20, 40, 60].map((step) => ({ step, epoch: 1, eval_loss: 9 - step / 10 }));
  expect(resultChoices({ ...run, log: falling })[0]!.label).toBe('step 60, the best and the last');
  const best = { step: 40, evalLoss: 1 };
  expect(resultChoices({ ...run, best })[0]).toEqual({ step: undefined, label: 'step 40, the best' });
});
