import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  deviceSettings,
  storeDeviceSettings,
  storedDeviceSettings,
  withEdit,
} from '../../../src/app/setup/device-settings.ts';

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

describe('what is kept for the next visit', () => {
  afterEach(() => vi.unstubAllGlobals());
  const denied = () => {
    throw new DOMException('Access is denied for this document.', 'SecurityError');
  };

  it('is nothing where the browser keeps nothing, and the page goes on', () => {
    vi.stubGlobal('localStorage', { getItem: denied, setItem: denied });
    expect(storedDeviceSettings()).toEqual(none);
    expect(storeDeviceSettings(none)).toBe(false);
    vi.stubGlobal('localStorage', undefined);
    expect(storedDeviceSettings()).toEqual(none);
    expect(storeDeviceSettings(none)).toBe(false);
  });

  it.each(['', '{', 'null', '[]', '3', '{"memory":{}}'])('is nothing of %j', (text) => {
    vi.stubGlobal('localStorage', { getItem: () => text });
    expect(storedDeviceSettings()).toEqual(none);
  });

  it('is taken up again', () => {
    let text: string | null = null;
    vi.stubGlobal('localStorage', { getItem: () => text, setItem: (_: string, to: string) => (text = to) });
    const allowed = withEdit(none, 'memory', '2.5');
    expect(storeDeviceSettings(allowed)).toBe(true);
    expect(storedDeviceSettings()).toEqual(allowed);
  });
});
