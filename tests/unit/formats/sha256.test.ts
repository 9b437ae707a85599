import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { PiecewiseSha256, piecewiseSha256, sha256, sha256Chunks } from '../../../src/formats/sha256.ts';
import { source } from '../../support/memory-folder.ts';
import { Random } from '../../support/random.ts';

test('published values', async () => {
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  expect(await sha256(source('empty', ''))).toBe(empty);
  expect(await sha256Chunks([])).toBe(empty);
  expect(await sha256(source('abc', 'abc'))).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('over several pieces, with progress', async () => {
  const random = new Random(5);
  const bytes = new Uint8Array(Uint32Array.from({ length: 2 ** 21 + 1 }, () => random.u32()).buffer);
  const expected = createHash('sha256').update(bytes).digest('hex');
  const progress: number[] = [];
  expect(await sha256(source('large', bytes), (done) => progress.push(done))).toBe(expected);
  expect(progress).toEqual([4194304, 8388608, 8388612]);
  const chunks = [bytes.subarray(0, 5), bytes.subarray(5, 5), bytes.subarray(5)];
  expect(await sha256Chunks(chunks)).toBe(expected);
});

test('of pieces, whatever their number', async () => {
  const random = new Random(6);
  const bytes = new Uint8Array(Uint32Array.from({ length: 5 * 2 ** 21 + 3 }, () => random.u32()).buffer);
  const digest = (data: Uint8Array) => createHash('sha256').update(data).digest();
  for (const size of [0, 1, 2 ** 23, 2 ** 23 + 1, bytes.length]) {
    const part = bytes.subarray(0, size);
    const pieces = Array.from({ length: Math.max(1, Math.ceil(size / 2 ** 23)) }, (_, i) =>
      digest(part.subarray(i * 2 ** 23, (i + 1) * 2 ** 23)),
    );
    let heard = 0;
    const hash = await piecewiseSha256(source('large', part), (n) => (heard += n));
    expect(hash).toBe(digest(Buffer.concat(pieces)).toString('hex'));
    expect(heard).toBe(size);
  }
});

test('of pieces that come in parts of any length, whose bytes change afterwards', async () => {
  const random = new Random(7);
  const bytes = new Uint8Array(Uint32Array.from({ length: 9 * 2 ** 20 + 5 }, () => random.u32()).buffer);
  const buffer = new Uint8Array(3 * 2 ** 23);
  for (const [size, most] of [
    [bytes.length, 2 ** 24],
    [bytes.length, 3 * 2 ** 23],
    [2 ** 24, 2 ** 23],
    [5000, 1000],
    [0, 1],
  ] as const) {
    const hash = new PiecewiseSha256(size);
    for (let at = 0; at < size;) {
      const part = buffer.subarray(0, Math.min(size - at, 1 + (random.u32() % most)));
      part.set(bytes.subarray(at, at + part.length));
      await hash.update(at, part);
      part.fill(1);
      at += part.length;
    }
    const whole = await piecewiseSha256(source('large', bytes.subarray(0, size)), () => undefined);
    expect(await hash.digest(), `${size} by ${most}`).toBe(whole);
  }
});

test('parts out of order, and too few of them, are mistakes', async () => {
  const hash = new PiecewiseSha256(100);
  await hash.update(0, new Uint8Array(10));
  await expect(hash.update(20, new Uint8Array(10))).rejects.toThrow('bytes from 20 on came where 10');
  await expect(hash.digest()).rejects.toThrow('10 bytes came where 100');
});
