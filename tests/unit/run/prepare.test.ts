import { expect, it } from 'vitest';
import type { Recipe } from '../../../src/formats/recipe.ts';
import { prepare } from '../../../src/run/input/prepare.ts';
import { caseInputs } from '../../support/run-case.ts';

it('batches count the packs of a recipe that packs rows', async () => {
  const longer = (r: Recipe): Recipe => ({ ...r, training: { ...r.training, maxLength: 512 } });
  const inputs = await caseInputs('batch2', (r) => ({
    ...longer(r),
    training: { ...longer(r).training, packing: true },
  }));
  const { packs, grouping, train, windowTokens, maxSteps } = await prepare(inputs, () => undefined);
  expect(packs!.flat().toSorted((a, b) => a - b)).toEqual(train.rows.map((_, i) => i));
  expect(packs!.length).toBeLessThan(train.rows.length);
  expect(grouping.rows).toBe(packs!.length);
  const plain = await prepare(await caseInputs('batch2', longer), () => undefined);
  expect(maxSteps).toBeLessThan(plain.maxSteps);
  expect(windowTokens).toBeGreaterThan(plain.windowTokens);
});

it.each([1e6, 1e300])('%d epochs are refused before their steps are looked at', async (epochs) => {
  const inputs = await caseInputs('recipe_text', (r) => ({ ...r, training: { ...r.training, epochs } }));
  await expect(prepare(inputs, () => undefined)).rejects.toThrow(
    /^training\.num_train_epochs is [\d.e+]+: with \d+ rows that makes \d\.\d\de\+\d+ steps, expected at most 1000000; lower it\.$/,
  );
});
