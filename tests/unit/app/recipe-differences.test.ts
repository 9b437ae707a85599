import { expect, it } from 'vitest';
import { comparedRuns } from '../../../src/app/runs/recipe-differences.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';

const recipe = defaultRecipe();
const INPUTS = { base: 'qwen', source: 'v1', train: 'rows.jsonl', validation: undefined };
const HASHES = { base: 'b'.repeat(64), source: 'a'.repeat(64), train: '1'.repeat(64) };

const run = (more: object = {}, hashes: object | undefined = HASHES) =>
  ({ record: { inputs: INPUTS, maxSteps: 60, recipe, ...more }, hashes }) as Parameters<
    typeof comparedRuns
  >[0];
const differing = (a: ReturnType<typeof run>, b: ReturnType<typeof run>) =>
  comparedRuns(a, b).flatMap(({ name, settings }) =>
    settings.filter(({ differs }) => differs).map((setting) => [name, setting.name, ...setting.values]),
  );

it('two runs of one recipe and the same files differ in nothing', () => {
  expect(differing(run(), run())).toEqual([]);
  const names = comparedRuns(run(), run()).map(({ name }) => name);
  expect(names).toEqual([
    'Run',
    'Length and pace',
    'Batches',
    'Optimizer',
    'Validation',
    'Log and checkpoints',
    'Base',
  ]);
});

it('what differs is marked, in the order of the form, also where one has the usual value', () => {
  const { training } = recipe;
  const changed = {
    ...recipe,
    seed: recipe.seed + 1,
    training: { ...training, learningRate: 3e-4, maxSteps: 9 },
  };
  expect(differing(run(), run({ maxSteps: 9, recipe: changed }))).toEqual([
    ['Run', 'Steps', '60', '9'],
    ['Length and pace', 'Steps', '', '9'],
    ['Length and pace', 'Learning rate', '5e-5', '3e-4'],
    [expect.any(String), 'Seed', String(recipe.seed), String(recipe.seed + 1)],
  ]);
});

it('files differ by their content, or by name where that is not known', () => {
  const other = { ...HASHES, train: '2'.repeat(64) };
  expect(differing(run(), run({}, other))).toEqual([
    ['Run', 'Training rows', 'rows.jsonl (11111111)', 'rows.jsonl (22222222)'],
  ]);
  const renamed = { inputs: { ...INPUTS, train: 'others.jsonl' } };
  expect(differing(run(), run(renamed))).toEqual([]);
  expect(differing(run(), run(renamed, {}))).toEqual([
    ['Run', 'Training rows', 'rows.jsonl', 'others.jsonl'],
  ]);
});

it('the settings of a new adapter count where one of them began with one', () => {
  const fresh = {
    inputs: { ...INPUTS, source: undefined },
    recipe: { ...recipe, lora: { ...recipe.lora, r: 8 } },
  };
  const found = differing(run(), run(fresh, { ...HASHES, source: 'none' }));
  expect(found).toContainEqual(['Run', 'Started from', 'v1', 'none']);
  expect(found.filter(([group]) => group === 'New adapter')).toEqual([
    ['New adapter', expect.any(String), String(recipe.lora.r), '8'],
  ]);
});
