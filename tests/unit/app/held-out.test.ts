import { expect, it } from 'vitest';
import { recipeOfRun, rowsToHoldOut } from '../../../src/app/setup/held-out.ts';
import { type AppState, initialState } from '../../../src/app/shared/app-state.ts';
import { defaultRecipe, type Recipe } from '../../../src/formats/recipe.ts';

type Slots = AppState['slots'];

/** A page where this many rows were chosen, under a recipe with these settings of training. */
function chosen(
  rows: number,
  training: Partial<Recipe['training']> = {},
  slots: Partial<Slots> = {},
): AppState {
  const recipe = defaultRecipe();
  const train = { reading: false, chosen: {}, answer: { ok: true, value: { rows } } } as Slots['train'];
  return {
    ...initialState,
    recipe: { ...recipe, training: { ...recipe.training, ...training } },
    slots: { ...initialState.slots, train, ...slots },
  };
}

it.each([
  [0, 0],
  [19, 0],
  [20, 1],
  [21, 2],
  [1000, 50],
])('of %s rows %s are held out', (rows, held) => {
  expect(rowsToHoldOut(chosen(rows))).toBe(held);
  expect(recipeOfRun(chosen(rows))!.training.valSize).toBe(held > 0 ? 0.05 : undefined);
});

it('counts the rows that are used', () => {
  expect(rowsToHoldOut(chosen(1000, { maxTrainSamples: 100 }))).toBe(5);
});

const validation = { reading: false, chosen: {} } as Slots['validation'];
it.each([
  ['the recipe holds some out', chosen(100, { valSize: 0.2 }), 0.2],
  ['the recipe never evaluates', chosen(100, { evalStrategy: 'no' }), undefined],
  ['there is a file of validation rows', chosen(100, {}, { validation }), undefined],
  ['no rows are chosen', { ...chosen(100), slots: initialState.slots }, undefined],
])('holds none out where %s', (_, state, valSize) => {
  expect(rowsToHoldOut(state)).toBeUndefined();
  expect(recipeOfRun(state)).toBe(state.recipe);
  expect(state.recipe!.training.valSize).toBe(valSize);
});

it('holds none out where the user wants none', () => {
  const state = { ...chosen(100), holdOut: false };
  expect(recipeOfRun(state)).toBe(state.recipe);
});
