import { describe, expect, it } from 'vitest';
import { addressOf, isSamePlace, type PagePlace, placeAt } from '../../../src/app/shared/place.ts';

describe('the address of a place', () => {
  it.each<[string, PagePlace]>([
    ['', { stage: 'choose' }],
    ['#recipe', { stage: 'recipe' }],
    ['#train', { stage: 'train' }],
    ['#train/4b2f', { stage: 'train', id: '4b2f' }],
    ['#runs', { stage: 'runs' }],
    ['#runs/a%2Fb%20%3F', { stage: 'runs', id: 'a/b ?' }],
    ['#test/4b2f', { stage: 'test', id: '4b2f' }],
    ['#use/4b2f', { stage: 'use', id: '4b2f' }],
    ['#use/4b2f/20', { stage: 'use', id: '4b2f', step: 20 }],
  ])('%j is read as it was written', (address, place) => {
    expect(addressOf(place)).toBe(address);
    expect(placeAt(address)).toEqual(place);
  });

  it.each([
    '#nowhere',
    '#runs/a/b',
    '#recipe/a',
    '#use',
    '#use/a/-1',
    '#use/a/1/2',
    '#use/a/1e9',
    `#runs/${'a'.repeat(1000)}`,
  ])('%j names none', (address) => {
    expect(placeAt(address)).toBeUndefined();
  });

  it('keeps what cannot be decoded as it is', () => {
    expect(placeAt('#runs/%ff')).toEqual({ stage: 'runs', id: '%ff' });
  });

  it('is the same where more of a place is known by now', () => {
    expect(isSamePlace({ stage: 'train' }, { stage: 'train', id: 'a' })).toBe(true);
    expect(isSamePlace({ stage: 'choose' }, { stage: 'recipe' })).toBe(true);
    expect(isSamePlace({ stage: 'train', id: 'a' }, { stage: 'train', id: 'b' })).toBe(false);
    expect(isSamePlace({ stage: 'test' }, { stage: 'test', id: 'b' })).toBe(false);
    expect(isSamePlace({ stage: 'use', id: 'a', step: 1 }, { stage: 'use', id: 'a' })).toBe(false);
    expect(isSamePlace({ stage: 'runs' }, { stage: 'test' })).toBe(false);
  });
});
