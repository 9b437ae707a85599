import { expect, it } from 'vitest';
import { pipelineLabel } from '../../../src/gpu/kernel.ts';

const variants = [
  { name: 'small', constants: { ROWS: 4, COLUMNS: 4 } },
  { name: 'large', constants: { ROWS: 8, COLUMNS: 4 } },
];

it('a label names the operation, the variant that the constants select, and the other constants', () => {
  const label = (constants?: Record<string, number>) =>
    pipelineLabel({ name: 'matmul', variants }, constants);
  expect(label({ NESTED: 1, ROWS: 8, COLUMNS: 4 })).toBe('matmul, large, NESTED=1');
  expect(label({ ROWS: 4, COLUMNS: 4 })).toBe('matmul, small');
  expect(label({ ROWS: 4, COLUMNS: 8 })).toBe('matmul, ROWS=4 COLUMNS=8');
  expect(label()).toBe('matmul');
});
