import { expect, it } from 'vitest';
import { explainNotFinite } from '../../../src/run/explain-not-finite.ts';
import type { Prepared } from '../../../src/run/input/prepare.ts';
import { NotFiniteError } from '../../../src/train/step.ts';
import { MemoryStore } from '../../support/memory-store.ts';

it('where gate and up are saved in f16, the sentence names the precision that has no such bound', async () => {
  const prepared = {
    train: { rows: [{ line: 7 }] },
    inputs: { train: { name: 'rows.jsonl' } },
  } as unknown as Prepared;
  const explained = async (savedFormat: 'f16' | undefined) =>
    (
      await explainNotFinite(
        new NotFiniteError('loss', 3, [0], true),
        prepared,
        new MemoryStore(),
        savedFormat,
      )
    ).message;
  const [begin, end] = [
    'Step 3: the loss is not finite (rows.jsonl, line 7); there is no checkpoint yet; lower training.learning_rate or look at those rows',
    ', then start again.',
  ];
  expect(await explained(undefined)).toBe(begin + end);
  expect(await explained('f16')).toBe(
    `${begin}, or choose precision f32, which has no bound of 65,504 for gate and up${end}`,
  );
});
