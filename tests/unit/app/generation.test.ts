import { expect, it } from 'vitest';
import { resultName, sourceName } from '../../../src/app/state/generation.ts';

const inputs = { base: 'base', source: 'v1', train: 'rows.jsonl', validation: undefined };
const runs = [
  { id: 'second', inputs },
  { id: 'third', inputs, sourceRun: 'second' },
  { id: 'fourth', inputs, sourceRun: 'third' },
  { id: 'first', inputs: { ...inputs, source: undefined } },
  { id: 'after first', inputs, sourceRun: 'first' },
  { id: 'orphan', inputs, sourceRun: 'deleted' },
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
  ['not in the list yet', 'V1', 'V2'],
])('the result of %s follows %s and is %s', (id, source, result) => {
  expect([sourceName(id, runs), resultName(id, runs)]).toEqual([source, result]);
});

it('an ancestry that goes round in a circle ends', () => {
  expect(resultName('a', runs)).toMatch(/^V\d+$/);
});
