import { expect, it } from 'vitest';
import { lossLine } from '../../../src/cli/run-report.ts';

it.each([
  [[], []],
  [[{ step: 4, loss: 0.5614 }], ['eval_loss 0.5614 (step 4)']],
  [
    [
      { step: 0, loss: 0.46914 },
      { step: 4, loss: 0.5614 },
    ],
    ['eval_loss 0.4691 (before step 1) → 0.5614 (step 4)'],
  ],
  [
    [
      { step: 2, loss: 1 },
      { step: 4, loss: 0.5 },
      { step: 6, loss: 0.75 },
    ],
    ['eval_loss 1.0000 (step 2) → 0.7500 (step 6)'],
  ],
])('of %j, the first and the last loss: %j', (losses, lines) => {
  expect(lossLine('eval_loss', losses)).toEqual(lines);
});
