import { createSHA256 } from 'hash-wasm';
import type { ByteSource } from './byte-source.ts';
import { encodeUtf8 } from './utf8.ts';

const CHUNK = 4 * 2 ** 20;

/** SHA-256 of a source in lower-case hex, read in pieces of 4 MiB; `onProgress` gets the bytes done so far. */
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

/** One hash over several; a single one stands for itself. */
export async function joinedHash(hashes: readonly string[]): Promise<string> {
  return hashes.length === 1 ? hashes[0]! : sha256Chunks([encodeUtf8(hashes.join('\n'))]);
}

/** The SHA-256 of consecutive chunks, as 64 hex digits. */
export async function sha256Chunks(chunks: Iterable<Uint8Array>): Promise<string> {
  const hash = await createSHA256();
  for (const chunk of chunks) {
    hash.update(chunk);
  }
  return hash.digest('hex');
}
