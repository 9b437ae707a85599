// References: LZ4, doc/lz4_Block_format.md; Apache Parquet, Compression.md (LZ4, LZ4_RAW); Apache Arrow,
// cpp/src/arrow/util/compression_lz4.cc (how to tell Hadoop's frames from a bare block).
import { Malformed } from './thrift-bounds.ts';

/** Bytes of the two lengths, big-endian, before each of Hadoop's frames. */
const FRAME_HEADER = 8;
const MIN_MATCH = 4;
const OFFSET_BYTES = 2;

/** Unpacks a block that makes up a whole page. Throws Malformed. */
export function unpackLz4(block: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(size);
  if (unpackBlock(block, page) !== size) {
    throw new Malformed('a page is smaller than it says');
  }
  return page;
}

/** The same in frames, as Hadoop packs it, or bare, as some writers did under the same name. Throws Malformed. */
export function unpackFramedLz4(packed: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  return inFrames(packed, size) ?? unpackLz4(packed, size);
}

/** undefined where these are no frames. */
function inFrames(packed: Uint8Array, size: number): Uint8Array<ArrayBuffer> | undefined {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const page = new Uint8Array(size);
  let end = 0;
  for (let at = 0; at < packed.length;) {
    const begin = at + FRAME_HEADER;
    if (begin > packed.length) {
      return undefined;
    }
    const [unpacked, length] = [view.getUint32(at), view.getUint32(at + 4)];
    if (begin + length > packed.length || end + unpacked > size) {
      return undefined;
    }
    unpackWithin(packed.subarray(begin, begin + length), page.subarray(end, end + unpacked));
    at = begin + length;
    end += unpacked;
  }
  return end === size ? page : undefined;
}

function unpackWithin(block: Uint8Array, part: Uint8Array): void {
  if (unpackBlock(block, part) !== part.length) {
    throw new Malformed('a page is smaller than it says');
  }
}

/** Unpacks a block to the beginning of `page`, and returns where it ends there. Throws Malformed. */
function unpackBlock(block: Uint8Array, page: Uint8Array): number {
  let at = 0;
  let end = 0;
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; length += byte) {
      if (at >= block.length) {
        throw new Malformed('a page ends too early');
      }
      byte = block[at++]!;
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = lengthFrom(token >> 4);
    if (at + literals > block.length || end + literals > page.length) {
      throw new Malformed('a page is larger than it says');
    }
    page.set(block.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    // The last sequence has no match.
    if (at === block.length) {
      break;
    }
    if (at + OFFSET_BYTES > block.length) {
      throw new Malformed('a page ends too early');
    }
    const offset = block[at]! | (block[at + 1]! << 8);
    at += OFFSET_BYTES;
    const match = MIN_MATCH + lengthFrom(token & 15);
    if (offset === 0 || offset > end || end + match > page.length) {
      throw new Malformed('a page repeats what is not there');
    }
    // What is repeated may reach into what it writes.
    for (const until = end + match; end < until; end++) {
      page[end] = page[end - offset]!;
    }
  }
  return end;
}
