import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { sha256, sha256Chunks } from '../../../src/formats/sha256.ts';
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
