import { expect, it } from 'vitest';
import { decodePass, prefillPass } from '../../../src/generate/passes.ts';

const sequences = [
  { prompt: [7, 8, 9], ids: [20], firstSlot: 10 },
  { prompt: [5], ids: [30, 31, 32], firstSlot: 0 },
];

it('lays whole prompts end to end, each in its own slots', () => {
  const { pass, slots } = prefillPass(sequences);
  expect([...pass.ids]).toEqual([7, 8, 9, 5]);
  expect([...pass.positions]).toEqual([0, 1, 2, 0]);
  expect([...pass.docBegin]).toEqual([0, 0, 0, 3]);
  expect([...pass.docEnd]).toEqual([3, 3, 3, 4]);
  expect([...pass.rowOf]).toEqual([0, 0, 0, 1]);
  expect([...pass.targets.index]).toEqual([2, 3]);
  expect([...slots]).toEqual([10, 11, 12, 0]);
});

it('decodes the latest token, which attends to its own slot and all before', () => {
  const { pass, slots } = decodePass(sequences);
  expect([...pass.ids]).toEqual([20, 32]);
  expect([...pass.positions]).toEqual([3, 3]);
  expect([...pass.docBegin]).toEqual([10, 0]);
  expect([...pass.docEnd]).toEqual([14, 4]);
  expect([...pass.targets.index]).toEqual([0, 1]);
  expect([...slots]).toEqual([13, 3]);
});
