import { expect, it } from 'vitest';
import { expectedTime, showExpected } from '../../../src/run/expected-time.ts';

const gpu = { name: 'nvidia lovelace', software: false, vendor: 'nvidia', architecture: 'lovelace' };

it('is what the operations take at a share of what is published, of the fastest and the slowest card', () => {
  // 1.5 billion parameters, a million tokens: 7.5e15 operations.
  const { least, most, cards } = expectedTime(gpu, 1.5e9, 1e6)!;
  expect(least).toBeCloseTo(7.5e15 / (0.67 * 82.6e12), 6);
  expect(most).toBeCloseTo(7.5e15 / (0.2 * 9e12), 6);
  expect(cards).toBe('nvidia lovelace');
});

it('is narrower where the name tells the card', () => {
  const { least, most, cards } = expectedTime({ ...gpu, name: 'NVIDIA GeForce RTX 4060' }, 1.5e9, 1e6)!;
  expect(most / least).toBeCloseTo(0.67 / 0.2, 6);
  expect(cards).toBe('RTX 4060');
});

it.each(['ampere', 'turing', 'blackwell', 'hopper', 'pascal'])('knows NVIDIA’s %s', (architecture) => {
  expect(expectedTime({ ...gpu, name: '', architecture }, 1e9, 1e6)!.cards).toBe(`nvidia ${architecture}`);
});

it.each([
  ['amd', 'rdna-3'],
  ['intel', 'xe-hpg'],
  ['apple', 'metal-3'],
  ['qualcomm', 'adreno-7xx'],
])('knows %s %s', (vendor, architecture) => {
  const { least, most } = expectedTime({ name: '', software: false, vendor, architecture }, 1e9, 1e6)!;
  expect(most / least).toBeGreaterThan(3);
});

it('is nothing on a software device, or of a kind that is not known', () => {
  expect(expectedTime({ ...gpu, software: true }, 1e9, 1e6)).toBeUndefined();
  expect(expectedTime({ ...gpu, name: 'x', architecture: 'later' }, 1e9, 1e6)).toBeUndefined();
  expect(expectedTime({ ...gpu, name: 'x', vendor: '', architecture: '' }, 1e9, 1e6)).toBeUndefined();
});

it.each([
  [2 * 3600, 6.1 * 3600, 'About 2–6 h: not measured; by what is published of cards of this kind (x).'],
  [12.2 * 3600, 41 * 3600, 'About 10–40 h: '],
  [600, 5000, 'About 10–85 min: '],
  [5, 5000, 'Up to 85 min: '],
  [300, 5500, 'Up to 2 h: '],
  [200, 210, 'About 3–4 min: '],
  [240, 242, 'About 4 min: '],
  [1, 60, 'A minute or less: '],
])('%s to %s seconds are told in few digits', (least, most, text) => {
  expect(showExpected({ least, most, cards: 'x' })).toContain(text);
});

it('says of what, where the whole is not known', () => {
  expect(showExpected({ least: 7200, most: 21_600, cards: 'x' }, ' for 1,000 full rows')).toBe(
    'About 2–6 h for 1,000 full rows: not measured; by what is published of cards of this kind (x).',
  );
});
