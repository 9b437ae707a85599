import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  DEFAULT_INPUTS as NONE,
  deviceSettings,
  hasProblem,
  storedDeviceInputs,
  storeDeviceInputs,
  withEdit,
} from '../../../src/app/shared/device-inputs.ts';

it('takes GiB as bytes, and nothing as no limit', () => {
  expect(deviceSettings(NONE)).toStrictEqual({ yieldGpu: false, precision: 'auto' });
  expect(deviceSettings(withEdit(withEdit(NONE, 'memory', '1.5'), 'yieldGpu', 'true'))).toStrictEqual({
    memory: 1.5 * 2 ** 30,
    yieldGpu: true,
    precision: 'auto',
  });
});

it('says what is wrong until it is mended, and does without what cannot be taken', () => {
  const wrong = withEdit(NONE, 'memory', '-1');
  expect(wrong.problems).toEqual({
    memory: 'GPU memory: the value is "-1", expected a number above 0; change it.',
  });
  expect(hasProblem(wrong)).toBe(true);
  expect(deviceSettings(wrong).memory).toBeUndefined();
  expect(hasProblem(withEdit(wrong, 'precision', 'f32'))).toBe(true);
  expect(hasProblem(withEdit(wrong, 'memory', '1'))).toBe(false);
});

it('passes a precision on, and takes auto for one that there is not', () => {
  expect(deviceSettings(withEdit(NONE, 'precision', 'f16')).precision).toBe('f16');
  expect(deviceSettings(withEdit(NONE, 'precision', 'f64')).precision).toBe('auto');
});

describe('what is kept for the next visit', () => {
  afterEach(() => vi.unstubAllGlobals());
  const denied = () => {
    throw new DOMException('Access is denied for this document.', 'SecurityError');
  };

  it('is nothing where the browser stores nothing, and the page keeps working', () => {
    vi.stubGlobal('localStorage', { getItem: denied, setItem: denied });
    expect(storedDeviceInputs()).toEqual(NONE);
    expect(storeDeviceInputs(NONE)).toBe(false);
    vi.stubGlobal('localStorage', undefined);
    expect(storedDeviceInputs()).toEqual(NONE);
    expect(storeDeviceInputs(NONE)).toBe(false);
  });

  it.each(['', '{', 'null', '[]', '3', '{"memory":{}}', '{"precision":"f64","leaveRoom":"x"}'])(
    'is nothing of %j',
    (text) => {
      vi.stubGlobal('localStorage', { getItem: () => text });
      expect(deviceSettings(storedDeviceInputs())).toEqual(deviceSettings(NONE));
    },
  );

  it('is taken up again, in the form of earlier versions', () => {
    let text = '{"memory":"2.5","leaveRoom":true,"precision":"f32"}';
    const earlier = text;
    vi.stubGlobal('localStorage', { getItem: () => text, setItem: (_: string, to: string) => (text = to) });
    const inputs = storedDeviceInputs();
    expect(deviceSettings(inputs)).toEqual({ memory: 2.5 * 2 ** 30, yieldGpu: true, precision: 'f32' });
    expect(storeDeviceInputs(inputs)).toBe(true);
    expect(JSON.parse(text)).toMatchObject(JSON.parse(earlier) as object);
  });
});
