import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { threadedHashing } from '../../../src/cli/hash-threads.ts';
import { piecewiseHashing, piecewiseSha256 } from '../../../src/formats/piecewise-sha256.ts';
import { source } from '../../support/memory-folder.ts';
import { Random } from '../../support/random.ts';

const bytes = new Random(6).bytes(10 * 2 ** 20 + 3);
const digest = (data: Uint8Array) => createHash('sha256').update(data).digest();

/** The hash of hashes, from its definition. */
function expected(data: Uint8Array): string {
  const pieces = Array.from({ length: Math.max(1, Math.ceil(data.length / 2 ** 23)) }, (_, i) =>
    digest(data.subarray(i * 2 ** 23, (i + 1) * 2 ** 23)),
  );
  return digest(Buffer.concat(pieces)).toString('hex');
}

test('of a file, whatever the number of its pieces', async () => {
  for (const size of [0, 1, 2 ** 23, 2 ** 23 + 1, bytes.length]) {
    const part = bytes.subarray(0, size);
    expect(await piecewiseSha256(source('large', part)), String(size)).toBe(expected(part));
  }
});

describe.each([
  ['WebCrypto', piecewiseHashing()],
  ['threads', threadedHashing],
])('%s', (_, hashing) => {
  test('hashes parts of any length, whose bytes change once they were hashed', async () => {
    const random = new Random(7);
    const buffers = [0, 1, 2].map(() => hashing.allocate(2 ** 24));
    for (const [size, most] of [
      [bytes.length, 2 ** 24],
      [bytes.length, 3 * 2 ** 20],
      [2 ** 23, 2 ** 23],
      [5000, 1000],
      [0, 1],
    ] as const) {
      const hash = hashing.begin(size);
      const free = buffers.map(() => Promise.resolve());
      for (let at = 0, n = 0; at < size; n++) {
        const i = n % buffers.length;
        await free[i];
        const part = buffers[i]!.subarray(0, Math.min(size - at, 1 + (random.u32() % most)));
        part.set(bytes.subarray(at, at + part.length));
        // The next part comes without waiting for this one.
        free[i] = hash.update(at, part).then(() => void part.fill(1));
        at += part.length;
      }
      expect(await hash.digest(), `${size} by ${most}`).toBe(expected(bytes.subarray(0, size)));
    }
  });

  test('hashes memory that is not its own, and calls parts out of order and too few of them mistakes', async () => {
    const hash = hashing.begin(100);
    const parts = [bytes.subarray(0, 10), bytes.subarray(10, 100)] as const;
    await hash.update(0, parts[0]);
    await expect(hash.update(20, parts[0])).rejects.toThrow('bytes from 20 on came where 10');
    await expect(hash.digest()).rejects.toThrow('10 bytes came where 100');
    await hash.update(10, parts[1]);
    expect(await hash.digest()).toBe(expected(bytes.subarray(0, 100)));
  });
});

test('a thread that ends before its time fails what waits for it, and is replaced', async () => {
  // Cloned, it is no array, so that the thread ends with an error.
  class NoArray {
    readonly length = 8;
    readonly buffer = new SharedArrayBuffer(8);
    subarray(): this {
      return this;
    }
  }
  const broken = threadedHashing.begin(8);
  await expect(broken.update(0, new NoArray() as unknown as Uint8Array)).rejects.toThrow(
    'instance of Buffer',
  );
  await expect(broken.digest()).rejects.toThrow('instance of Buffer');
  // As many pieces as there can be threads.
  for (let i = 0; i < 8; i++) {
    const hash = threadedHashing.begin(5);
    await hash.update(0, bytes.subarray(0, 5));
    expect(await hash.digest()).toBe(expected(bytes.subarray(0, 5)));
  }
});
