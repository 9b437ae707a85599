import type { ByteSource } from '../../../formats/byte-source.ts';
import type { BufferView } from '../../../gpu/memory.ts';

/** A range [begin, end) of a file to load. */
export interface Wanted {
  readonly source: ByteSource;
  readonly begin: number;
  readonly end: number;
  /** It may be split at multiples of this many bytes from its begin. */
  readonly unit: number;
  /**
   * Receives the range's bytes from byte `at` on, piece by piece and in order; they change once it has returned. `staged`:
   * where the device can copy them from, padded with zeros to a multiple of 4.
   */
  take(at: number, bytes: Uint8Array, staged: BufferView): void;
}

/** One read of a file, and which part of it goes where. */
export interface Chunk {
  readonly source: ByteSource;
  readonly begin: number;
  bytes: number;
  readonly pieces: { wanted: Wanted; at: number; from: number; bytes: number }[];
}

/** Pieces are aligned for the device, so that each may take a little more than its bytes. */
const MAX_PIECES = 256;
/** Gaps up to this many bytes are read too: cheaper than another read. */
const GAP_BYTES = 2 ** 18;

/** Covers the ranges with reads of at most `chunkBytes`, file by file in the order of their bytes. */
export function readPlan(wanted: readonly Wanted[], chunkBytes: number): Chunk[] {
  const chunks: Chunk[] = [];
  for (const source of new Set(wanted.map((range) => range.source))) {
    let chunk: Chunk | undefined;
    const inOrder = wanted.filter((range) => range.source === source).toSorted((a, b) => a.begin - b.begin);
    for (const range of inOrder) {
      for (let at = 0, size = range.end - range.begin; at < size;) {
        const begin = range.begin + at;
        const from: number = chunk ? begin - chunk.begin : 0;
        const near = chunk && from - chunk.bytes <= GAP_BYTES && chunk.pieces.length < MAX_PIECES;
        const bytes = near ? cut(size - at, chunkBytes - from, range.unit) : 0;
        if (!chunk || bytes === 0) {
          chunks.push((chunk = { source, begin, bytes: 0, pieces: [] }));
          continue;
        }
        chunk.pieces.push({ wanted: range, at, from, bytes });
        chunk.bytes = from + bytes;
        at += bytes;
      }
    }
  }
  return chunks;
}

/** The gaps between the ranges, up to whole files, for a consumer that must see every byte. */
export function unwanted(wanted: readonly Wanted[], files: readonly ByteSource[]): Wanted[] {
  return files.flatMap((source) => {
    const ranges = wanted.filter((range) => range.source === source).toSorted((a, b) => a.begin - b.begin);
    const begins = [0, ...ranges.map(({ end }) => end)];
    const ends = [...ranges.map(({ begin }) => begin), source.size];
    return begins.flatMap((begin, i) => {
      const end = ends[i]!;
      return begin < end ? [{ source, begin, end, unit: 1, take: () => undefined }] : [];
    });
  });
}

/** How many of `bytes` fit into `room`, as a multiple of `unit`. */
const cut = (bytes: number, room: number, unit: number): number =>
  bytes <= room ? bytes : Math.max(0, Math.floor(room / unit) * unit);
