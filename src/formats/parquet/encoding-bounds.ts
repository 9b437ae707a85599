// Reference: Apache Parquet, Encodings.md (RLE/bit-packing hybrid, delta encodings).
import { Malformed, varint } from './thrift-bounds.ts';

/** Writers fill up the last run: a run of packed bits has a multiple of 8 values. */
const PADDING = 512;
const MAX_WIDTH = 31;

/**
 * Checks that the runs in a part of a page hold about `count` values of `width` bits: hyparquet writes as many values as
 * a run claims to repeat. Throws Malformed.
 */
export function checkRuns(bytes: Uint8Array, begin: number, end: number, width: number, count: number): void {
  if (width > MAX_WIDTH) {
    throw new Malformed('its values are too wide');
  }
  let at = begin;
  for (let seen = 0; seen < count;) {
    const run = varint(bytes, at);
    const packed = run.value % 2 === 1;
    const values = packed ? 8 * Math.floor(run.value / 2) : run.value / 2;
    at = run.end + (packed ? (values / 8) * width : Math.ceil(width / 8));
    seen += values;
    if (values === 0 || seen > count + PADDING || run.end > end) {
      throw new Malformed('a run of values does not fit');
    }
  }
}

/**
 * Checks that a part of a page holds `count` delta-packed numbers, and returns where it ends. Throws Malformed.
 */
export function endOfDeltas(bytes: Uint8Array, begin: number, count: number): number {
  const block = varint(bytes, begin);
  const miniblocks = varint(bytes, block.end);
  const total = varint(bytes, miniblocks.end);
  const first = varint(bytes, total.end);
  const perMiniblock = block.value / miniblocks.value;
  if (
    total.value !== count ||
    !Number.isInteger(perMiniblock) ||
    perMiniblock < 8 ||
    perMiniblock % 8 !== 0 ||
    block.value > 2 ** 16
  ) {
    throw new Malformed('its blocks of differences do not fit');
  }
  let at = first.end;
  for (let left = count - 1; left > 0;) {
    const widths = varint(bytes, at).end;
    at = widths + miniblocks.value;
    for (let i = 0; i < miniblocks.value && left > 0; i++) {
      at += ((bytes[widths + i] ?? 0) * perMiniblock) / 8;
      left -= perMiniblock;
    }
    if (at > bytes.length) {
      throw new Malformed('it ends too early');
    }
  }
  return at;
}
