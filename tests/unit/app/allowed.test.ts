import { expect, it } from 'vitest';
import { deviceSettings, withEdit } from '../../../src/app/state/allowed.ts';

const none = { memory: '', problem: '', leaveRoom: false, precision: 'auto' } as const;

it('takes GiB as bytes, and nothing as no limit', () => {
  expect(deviceSettings(none)).toEqual({ memory: undefined, leaveRoom: false, precision: 'auto' });
  expect(deviceSettings(withEdit(withEdit(none, 'memory', '1.5'), 'leaveRoom', 'true'))).toEqual({
    memory: 1.5 * 2 ** 30,
    leaveRoom: true,
    precision: 'auto',
  });
});

it('says what is wrong, and does without what cannot be taken', () => {
  const wrong = withEdit(none, 'memory', '-1');
  expect(wrong.problem).toBe('GPU memory: the value is "-1", expected a number above 0; change it.');
  expect(deviceSettings(wrong).memory).toBeUndefined();
});

it('passes a precision on, and takes auto for one that there is not', () => {
  expect(deviceSettings(withEdit(none, 'precision', 'f16')).precision).toBe('f16');
  expect(deviceSettings(withEdit(none, 'precision', 'f64')).precision).toBe('auto');
});
