import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/formats/user-error.ts';

describe('what a message says without its remedy', () => {
  it.each([
    ['a.json: it is empty; choose another file.', 'a.json: it is empty'],
    ['a.json: x is "b; c", expected d; correct the file.', 'a.json: x is "b; c", expected d'],
    ['This is not in the browser any more.', 'This is not in the browser any more'],
  ])('%s', (sentence, what) => {
    const error = new UserError(sentence);
    expect([error.message, error.what]).toEqual([sentence, what]);
  });

  it('is told by its parts too', () => {
    const error = new UserError({ what: 'c: x is missing', so: 'so this is broken', remedy: 'start again' });
    expect(error.message).toBe('c: x is missing, so this is broken; start again.');
    expect(error.what).toBe('c: x is missing');
    expect(new UserError({ what: 'c: x is missing' }).message).toBe('c: x is missing.');
  });
});
