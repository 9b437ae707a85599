import { piecewiseHashing } from '../../../formats/piecewise-sha256.ts';
import type { Chunk } from './read-plan.ts';

/** Bytes per read: enough for a disk's full rate. */
export const CHUNK_BYTES = 2 ** 24;

/** Reads under way. */
const READS = 2;
/** One chunk is processed and one may still be seen while others are read. */
const HOST_BUFFERS = READS + 2;

/** The consumer of the reads. */
export interface Receiver {
  /** Sees each chunk before it is taken; nothing waits for it but the next read into the same memory. */
  see?: ((chunk: Chunk, bytes: Uint8Array) => Promise<void>) | undefined;
  /** Takes a chunk; the next one follows once it has resolved. The bytes may change then. */
  take(chunk: Chunk, bytes: Uint8Array): Promise<void>;
}

/** Reads the chunks in order and hands them over, reading ahead while earlier ones are processed. */
export async function readAhead(chunks: readonly Chunk[], receiver: Receiver): Promise<void> {
  const most = chunks.reduce((most, { bytes }) => Math.max(most, bytes), 0);
  const { allocate } = piecewiseHashing();
  const buffers = Array.from({ length: HOST_BUFFERS }, () => allocate(most));
  const seen: (Promise<void> | undefined)[] = [];
  const read = async (n: number): Promise<Uint8Array> => {
    const { source, begin, bytes } = chunks[n]!;
    await seen[n - HOST_BUFFERS];
    const into = buffers[n % HOST_BUFFERS]!.subarray(0, bytes);
    await source.read(begin, into);
    return into;
  };
  const reads: Promise<Uint8Array>[] = [];
  let started = 0;
  const readOn = (until: number) => {
    while (started < Math.min(until, chunks.length)) {
      reads.push(read(started++));
    }
  };
  try {
    for (const [n, chunk] of chunks.entries()) {
      readOn(n + READS);
      const bytes = await reads.shift()!;
      seen[n] = receiver.see?.(chunk, bytes);
      // Its failure is reported to whoever awaits it.
      seen[n]?.catch(() => undefined);
      await receiver.take(chunk, bytes);
    }
  } finally {
    // Abandoned reads still write into their buffers, and may fail.
    await Promise.allSettled([...reads, ...seen]);
  }
  await Promise.all(seen);
}
