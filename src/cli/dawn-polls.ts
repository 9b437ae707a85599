let paused = false;

/**
 * Dawn's package for Node polls through setImmediate, without a pause, whether the device has finished. On a device
 * that computes on the CPU this costs a core; from here on polls pause for a millisecond.
 */
export function pausePolls(): void {
  if (paused) {
    return;
  }
  paused = true;
  const { setImmediate, setTimeout } = globalThis;
  const patient = (callback: () => void, ...args: []) =>
    isDawns(callback) ? setTimeout(callback, 1) : setImmediate(callback, ...args);
  globalThis.setImmediate = Object.assign(patient, setImmediate) as unknown as typeof setImmediate;
}

/** Native functions with a prototype are Dawn's; a promise's resolve has none. */
function isDawns(callback: () => void): boolean {
  return 'prototype' in callback && /\[native code\]/.test(`${callback}`);
}
