// For `node --import`: Dawn's package for Node asks through setImmediate, without a pause, whether the device has
// finished. On a software device those questions take a core from the computing itself, so they get a pause.
const { setImmediate, setTimeout } = globalThis;

// Native functions with a prototype are Dawn's; a promise's resolve has none.
const isDawns = (callback) => 'prototype' in callback && /\[native code\]/.test(`${callback}`);

globalThis.setImmediate = Object.assign(
  (callback, ...args) => (isDawns(callback) ? setTimeout(callback, 1) : setImmediate(callback, ...args)),
  setImmediate,
);
