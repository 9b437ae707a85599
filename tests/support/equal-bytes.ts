import { expect } from 'vitest';

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  Buffer.from(buffer, byteOffset, byteLength);

const registered = globalThis as { equalBytes?: true };

// Number by number, as toEqual compares typed arrays, a megabyte takes over four seconds. Other bytes may still be equal,
// as NaNs are, and are compared in its own way.
if (!registered.equalBytes) {
  registered.equalBytes = true;
  expect.addEqualityTesters([
    (a: unknown, b: unknown) =>
      ArrayBuffer.isView(a) &&
      ArrayBuffer.isView(b) &&
      Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
      bytesOf(a).equals(bytesOf(b))
        ? true
        : undefined,
  ]);
}
