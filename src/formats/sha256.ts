import { createSHA256 } from 'hash-wasm';
import type { ByteSource } from './byte-source.ts';

const CHUNK = 4 * 2 ** 20;

/** SHA-256 of a source as lower-case hex, read in pieces of 4 MiB; `onProgress` gets the bytes done so far. */
export async function sha256(source: ByteSource, onProgress?: (bytes: number) => void): Promise<string> {
  const hash = await createSHA256();
  const buffer = new Uint8Array(Math.min(CHUNK, source.size));
  for (let begin = 0; begin < source.size; begin += CHUNK) {
    const piece = buffer.subarray(0, Math.min(CHUNK, source.size - begin));
    await source.read(begin, piece);
    hash.update(piece);
    onProgress?.(begin + piece.length);
  }
  return hash.digest('hex');
}

/** Bytes of a piece that `piecewiseSha256` hashes by itself, and how many it has under way. */
const PIECE = 8 * 2 ** 20;
const UNDER_WAY = 4;

/**
 * SHA-256 of the SHA-256s of a source's pieces of 8 MiB, as lower-case hex: for gigabytes, since pieces are read and
 * hashed at the same time, by the platform's own code. `onBytes` hears of every piece's bytes.
 */
export async function piecewiseSha256(source: ByteSource, onBytes: (bytes: number) => void): Promise<string> {
  const count = Math.max(1, Math.ceil(source.size / PIECE));
  const hashes = new Uint8Array(32 * count);
  let next = 0;
  const worker = async (): Promise<void> => {
    const buffer = new Uint8Array(Math.min(PIECE, source.size));
    while (next < count) {
      const i = next++;
      const piece = buffer.subarray(0, Math.min(PIECE, source.size - i * PIECE));
      await source.read(i * PIECE, piece);
      hashes.set(new Uint8Array(await crypto.subtle.digest('SHA-256', piece)), 32 * i);
      onBytes(piece.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(UNDER_WAY, count) }, worker));
  return sha256Chunks([hashes]);
}

/** The SHA-256 of chunks that follow one another, as 64 hex digits. */
export async function sha256Chunks(chunks: Iterable<Uint8Array>): Promise<string> {
  const hash = await createSHA256();
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}
