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

/** The SHA-256 of chunks that follow one another, as 64 hex digits. */
export async function sha256Chunks(chunks: Iterable<Uint8Array>): Promise<string> {
  const hash = await createSHA256();
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}
