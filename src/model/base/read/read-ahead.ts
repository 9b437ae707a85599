import type { Chunk } from './read-plan.ts';

/** Bytes per read: enough for a disk's full rate. */
export const CHUNK_BYTES = 2 ** 24;

/** One buffer is processed while the others are being filled. */
const HOST_BUFFERS = 3;

/** The consumer of the reads. */
export interface Receiver {
  /** Resolves when another chunk can be accepted. */
  ready(): Promise<void>;
  /** Sees each chunk before its pieces are taken; once it has resolved, the bytes may change. */
  see?: ((chunk: Chunk, bytes: Uint8Array<ArrayBuffer>) => Promise<void>) | undefined;
  /** Called after each chunk's pieces were taken, with the number of its bytes that were wanted. */
  taken(bytes: number): void;
}

/** Reads the chunks in order and hands over their pieces, reading ahead while earlier ones are processed. */
export async function readAhead(chunks: readonly Chunk[], receiver: Receiver): Promise<void> {
  const most = chunks.reduce((most, { bytes }) => Math.max(most, bytes), 0);
  const buffers = Array.from({ length: HOST_BUFFERS }, () => new Uint8Array(most));
  const read = async (n: number): Promise<Uint8Array<ArrayBuffer>> => {
    const { source, begin, bytes } = chunks[n]!;
    const into = buffers[n % HOST_BUFFERS]!.subarray(0, bytes);
    await source.read(begin, into);
    return into;
  };
  const reads: Promise<Uint8Array<ArrayBuffer>>[] = [];
  let started = 0;
  const readOn = (until: number) => {
    while (started < Math.min(until, chunks.length)) {
      reads.push(read(started++));
    }
  };
  try {
    for (const [n, chunk] of chunks.entries()) {
      readOn(n + HOST_BUFFERS - 1);
      const bytes = await reads.shift()!;
      await receiver.ready();
      await receiver.see?.(chunk, bytes);
      let wanted = 0;
      for (const piece of chunk.pieces) {
        piece.wanted.take(piece.at, bytes.subarray(piece.from, piece.from + piece.bytes));
        wanted += piece.bytes;
      }
      receiver.taken(wanted);
    }
  } finally {
    // Abandoned reads still write into their buffers, and may fail.
    await Promise.allSettled(reads);
  }
}
