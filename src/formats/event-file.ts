// Reference: TensorFlow, tensorflow/core/lib/hash/crc32c.h (masked CRC-32C) and TensorBoard's Event protobuf.
import { encodeUtf8 } from './utf8.ts';

/**
 * TensorBoard event files: each record is framed by its length and masked CRC-32C sums (TFRecord), and holds an
 * Event protobuf. Times are in seconds since 1970.
 */

/** What TensorBoard looks for in a file's name; a run appends time and host. */
export const EVENT_FILE_PREFIX = 'events.out.tfevents.';

/** The first record of every file. */
export function eventHeader(wallTime: number): Uint8Array<ArrayBuffer> {
  return record([...double(1, wallTime), ...bytes(3, encodeUtf8('brain.Event:2'))]);
}

/** One record with the scalars of a step; values are stored as f32. */
export function scalarEvent(
  wallTime: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array<ArrayBuffer> {
  const summary = Object.entries(scalars).flatMap(([tag, value]) =>
    bytes(1, [...bytes(1, encodeUtf8(tag)), ...float(2, value)]),
  );
  return record([...double(1, wallTime), ...key(2, VARINT), ...varint(step), ...bytes(5, summary)]);
}

// Protobuf wire types.
const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

function key(field: number, wireType: number): number[] {
  return varint(field * 8 + wireType);
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    out.push((rest % 128) | 128);
  }
  return [...out, rest];
}

function bytes(field: number, content: ArrayLike<number>): number[] {
  return [...key(field, LENGTH), ...varint(content.length), ...Array.from(content)];
}

function double(field: number, value: number): number[] {
  return [...key(field, FIXED64), ...new Uint8Array(Float64Array.of(value).buffer)];
}

function float(field: number, value: number): number[] {
  return [...key(field, FIXED32), ...new Uint8Array(Float32Array.of(value).buffer)];
}

function record(data: number[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(12 + data.length + 4);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(out.subarray(12, 12 + data.length)), true);
  return out;
}

/** CRC-32C rotated and offset, so that checksums of data that contains checksums stay effective. */
function maskedCrc32c(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const POLYNOMIAL = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) {
    crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return crc;
});

/** CRC-32C (Castagnoli) of bytes. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
