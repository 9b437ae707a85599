import { expect, it } from 'vitest';
import { table } from '../../../src/cli/table.ts';

it('lays cells out in columns', () => {
  expect(
    table([
      ['', 'V1'],
      ['questions', '4'],
      ['a', '1,000'],
    ]),
  ).toEqual(['              V1', 'questions      4', 'a          1,000']);
});
