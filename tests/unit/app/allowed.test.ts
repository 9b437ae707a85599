import { expect, it } from 'vitest';
import { deviceSettings, withEdit } from '../../../src/app/state/allowed.ts';

const none = { memory: '', problem: '', leaveRoom: false };

it('takes GiB as bytes, and nothing as no limit', () => {
  expect(deviceSettings(none)).toEqual({ memory: undefined, leaveRoom: false });
  expect(deviceSettings(withEdit(withEdit(none, 'memory', '1.5'), 'leaveRoom', 'true'))).toEqual({
    memory: 1.5 * 2 ** 30,
    leaveRoom: true,
  });
});

it('says what is wrong, and does without what cannot be taken', () => {
  const wrong = withEdit(none, 'memory', '-1');
  expect(wrong.problem).toBe('GPU memory: the value is "-1", expected a number above 0; change it.');
  expect(deviceSettings(wrong).memory).toBeUndefined();
});
