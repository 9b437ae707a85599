import { expect, it } from 'vitest';
import { bytesOf } from '../../../src/storage/kept-inputs.ts';

const file = (bytes: number) => new File([new Uint8Array(bytes)], 'file');

it('counts every file of a run that is kept as a copy', () => {
  expect(bytesOf({ source: [file(3), file(5)], train: file(7), validation: file(11) })).toBe(26);
  expect(bytesOf({ source: undefined, train: file(7), validation: undefined })).toBe(7);
});
