import { expect, it } from 'vitest';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import { checkReading, readsAsStored } from '../../../src/run/choose-kernels.ts';
import { prepare } from '../../../src/run/input/prepare.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs } from '../../support/run-case.ts';

const store = new MemoryStore();

it.each(['dynamic', 'untied_head'] as const)(
  'a run that an earlier version began on the base of %s is not continued on other weights',
  async (name) => {
    const base = await openBaseModel((await caseInputs(name)).base);
    expect(() => checkReading(store, {}, base)).toThrow(
      `memory: the unfinished run there was begun by an earlier version of Retune, which quantized or tied weights that this base holds otherwise; finish it with that version, or ${store.startAgain}.`,
    );
    checkReading(store, { asStored: true }, base);
  },
);

it('one on any other base is', async () => {
  const { model } = await prepare(await caseInputs('recipe_text'), () => undefined);
  expect(readsAsStored(model)).toBe(false);
  checkReading(store, {}, model);
});
