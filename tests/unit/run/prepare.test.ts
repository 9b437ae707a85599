import { expect, it } from 'vitest';
import { prepare } from '../../../src/run/prepare.ts';
import { caseInputs } from '../../support/run-case.ts';

it.each([1e6, 1e300])('%d epochs are refused before their steps are looked at', async (epochs) => {
  const inputs = await caseInputs('recipe_text', (r) => ({ ...r, training: { ...r.training, epochs } }));
  await expect(prepare(inputs, () => undefined)).rejects.toThrow(
    /^training\.num_train_epochs is [\d.e+]+: with \d+ rows that makes \d\.\d\de\+\d+ steps, expected at most 1000000; lower it\.$/,
  );
});
