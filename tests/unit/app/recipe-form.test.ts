import { expect, it } from 'vitest';
import { conflict } from '../../../src/app/setup/conflict.ts';
import { fieldSpans, TRACKS } from '../../../src/app/setup/field-rows.ts';
import { initialState } from '../../../src/app/shared/app-state.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';

/** The rows that the spans make. */
const rowsOf = (widths: readonly number[]): number[][] => {
  const rows: number[][] = [[]];
  for (const span of fieldSpans(widths)) {
    if (rows.at(-1)!.reduce((sum, one) => sum + one, 0) === TRACKS) {
      rows.push([]);
    }
    rows.at(-1)!.push(span);
  }
  return rows;
};

it('rows of the form are full, and none holds one setting alone', () => {
  for (let count = 2; count < 20; count++) {
    for (const wide of [-1, 0, count - 1]) {
      const widths = Array.from({ length: count }, (_, i) => (i === wide ? 2 : 1));
      const rows = rowsOf(widths);
      for (const row of rows) {
        expect(row.reduce((sum, one) => sum + one, 0)).toBe(TRACKS);
        expect(row.length).toBeGreaterThan(1);
      }
    }
  }
  expect(fieldSpans([1])).toEqual([TRACKS]);
  expect(fieldSpans([2, 1, 1])).toEqual([2, 2, 2]);
  expect(rowsOf([1, 1, 1, 1, 1, 1, 1])).toEqual([
    [2, 2, 2],
    [3, 3],
    [3, 3],
  ]);
});

it('settings that do not go together are told at the one that is to be changed', () => {
  const recipe = defaultRecipe();
  const of = (training: Partial<typeof recipe.training>) =>
    conflict({
      ...initialState,
      holdOut: false,
      recipe: { ...recipe, training: { ...recipe.training, ...training } },
    });
  expect(of({})).toBeUndefined();
  expect(of({ loadBestModelAtEnd: true })?.key).toBe('load_best_model_at_end');
  expect(of({ packing: true, maxLength: Infinity })).toMatchObject({
    key: 'packing',
    sentence: expect.stringContaining('there is no length to pack rows into'),
  });
});
