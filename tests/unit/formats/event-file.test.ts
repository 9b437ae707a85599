import { describe, expect, test } from 'vitest';
import { crc32c, eventHeader, scalarEvent } from '../../../src/formats/event-file.ts';
import { fixtureBytes, joinBytes } from '../../support/memory-folder.ts';

test('CRC-32C gives the values of RFC 3720', () => {
  const hex = (data: Uint8Array) => crc32c(data).toString(16);
  expect(hex(new TextEncoder().encode('123456789'))).toBe('e3069283');
  expect(hex(new Uint8Array(32))).toBe('8a9136aa');
  expect(hex(new Uint8Array(32).fill(255))).toBe('62a8ab43');
  expect(hex(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe('46dd794e');
  expect(crc32c(new Uint8Array())).toBe(0);
});

describe('records', () => {
  test('are the bytes that TensorBoard’s own writer gives', () => {
    const ours = joinBytes([
      eventHeader(1700000000.25),
      scalarEvent(1700000001.5, 1, { 'train/loss': 1.25, 'train/learning_rate': 5e-5 }),
      scalarEvent(1700000002.5, 300, { 'eval/loss': -0 }),
      scalarEvent(1700000003, 5_000_000_000, { 'größe/東京': 3e38 }),
    ]);
    expect(ours).toEqual(fixtureBytes('formats/events.bin'));
  });
});
