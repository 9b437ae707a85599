import { expect, it } from 'vitest';
import { adapterName, resultName, runName, sourceName } from '../../../src/app/shared/version-names.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';

const inputs = { base: 'base', source: 'v1', train: 'rows.jsonl', validation: undefined };
const runs = [
  { id: 'second', inputs },
  { id: 'third', inputs, sourceRun: 'second' },
  { id: 'fourth', inputs, sourceRun: 'third' },
  { id: 'first', inputs: { ...inputs, source: undefined } },
  { id: 'after first', inputs, sourceRun: 'first' },
  { id: 'orphan', inputs, sourceRun: 'deleted' },
  { id: 'of the cluster', inputs, sourceLineage: { base: 'b', source: 'v1' } },
  { id: 'of a fresh one', inputs, sourceLineage: { base: 'b', source: 'none' } },
  { id: 'after the cluster', inputs, sourceRun: 'of the cluster' },
  { id: 'a', inputs, sourceRun: 'b' },
  { id: 'b', inputs, sourceRun: 'a' },
];

it.each([
  ['second', 'V1', 'V2'],
  ['third', 'V2', 'V3'],
  ['fourth', 'V3', 'V4'],
  ['first', 'V1', 'V1'],
  ['after first', 'V1', 'V2'],
  ['orphan', 'V2', 'V3'],
  ['of the cluster', 'V2', 'V3'],
  ['of a fresh one', 'V1', 'V2'],
  ['after the cluster', 'V3', 'V4'],
  ['not in the list yet', 'V1', 'V2'],
])('the result of %s follows %s and is %s', (id, source, result) => {
  expect([sourceName(id, runs), resultName(id, runs)]).toEqual([source, result]);
});

it('an ancestry that goes round in a circle ends', () => {
  expect(resultName('a', runs)).toMatch(/^V\d+$/);
});

it.each([
  [undefined, 'V1', 'base + new.jsonl'],
  [{ name: 'support', files: [] }, 'V1', 'support + new.jsonl'],
  [{ name: 'v1 + rows.jsonl', files: [], run: 'second' }, 'V2', 'V2 + new.jsonl'],
  [
    { name: 'v1 + rows.jsonl, step 40', files: [], run: 'third', step: 40 },
    'V3 step 40',
    'V3 step 40 + new.jsonl',
  ],
])('a run that continues %o is called by what it continues', (source, adapter, name) => {
  const inputs = {
    base: { name: 'base', files: [] },
    source,
    train: { file: new File([], 'new.jsonl') },
    validation: undefined,
    recipe: defaultRecipe(),
  };
  expect([adapterName(source, runs), runName(inputs, runs)]).toEqual([adapter, name]);
});
