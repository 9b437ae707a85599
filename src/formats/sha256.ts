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

/** Bytes per piece of `piecewiseSha256`, and maximum pieces being hashed at once. */
const PIECE = 8 * 2 ** 20;
const UNDER_WAY = 4;

/**
 * SHA-256 of the SHA-256s of a source's pieces of 8 MiB, in lower-case hex. For gigabytes: pieces are read and
 * hashed concurrently, by the platform's own code. `onBytes` gets the bytes of every piece.
 */
export async function piecewiseSha256(source: ByteSource, onBytes: (bytes: number) => void): Promise<string> {
  const pieces = new PieceHashes(source.size);
  let next = 0;
  const worker = async (): Promise<void> => {
    const buffer = new Uint8Array(Math.min(PIECE, source.size));
    while (next < pieces.count) {
      const i = next++;
      const piece = buffer.subarray(0, pieces.sizeOf(i));
      await source.read(i * PIECE, piece);
      await pieces.add(i, piece);
      onBytes(piece.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(UNDER_WAY, pieces.count) }, worker));
  return pieces.joined();
}

/** `piecewiseSha256` of bytes that arrive in order, in parts of any length. */
export class PiecewiseSha256 {
  readonly #pieces: PieceHashes;
  readonly #underWay: Promise<void>[] = [];
  /** The start of a piece that is still incomplete. */
  readonly #begun: Uint8Array<ArrayBuffer>;
  #at = 0;

  constructor(size: number) {
    this.#pieces = new PieceHashes(size);
    this.#begun = new Uint8Array(Math.min(PIECE, size));
  }

  /**
   * Adds the bytes from `begin` on; once it has resolved they may change, even though some are still being hashed.
   * Throws Error if they are out of order.
   */
  async update(begin: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (begin !== this.#at) {
      throw new Error(`bytes from ${begin} on came where ${this.#at} was expected`);
    }
    for (let from = 0; from < bytes.length;) {
      const piece = Math.floor(this.#at / PIECE);
      const has = this.#at % PIECE;
      const lacks = this.#pieces.sizeOf(piece) - has;
      const part = bytes.subarray(from, from + lacks);
      if (part.length < lacks) {
        this.#begun.set(part, has);
      } else if (has === 0) {
        await this.#hash(piece, part);
      } else {
        this.#begun.set(part, has);
        await this.#hash(piece, this.#begun.subarray(0, has + lacks));
      }
      from += part.length;
      this.#at += part.length;
    }
  }

  /** Call after the last bytes. Throws Error if some are missing. */
  async digest(): Promise<string> {
    const { size } = this.#pieces;
    if (this.#at !== size) {
      throw new Error(`${this.#at} bytes came where ${size} were expected`);
    }
    if (size === 0) {
      await this.#hash(0, this.#begun);
    }
    await Promise.all(this.#underWay);
    return this.#pieces.joined();
  }

  async #hash(index: number, piece: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#underWay.length === UNDER_WAY) {
      await this.#underWay.shift();
    }
    const hashed = this.#pieces.add(index, piece);
    // Its failure is reported to whoever awaits it; if reading fails first, nobody does.
    hashed.catch(() => undefined);
    this.#underWay.push(hashed);
  }
}

/** The SHA-256s of a source's pieces. */
class PieceHashes {
  readonly size: number;
  readonly count: number;
  readonly #hashes: Uint8Array;

  constructor(size: number) {
    this.size = size;
    this.count = Math.max(1, Math.ceil(size / PIECE));
    this.#hashes = new Uint8Array(32 * this.count);
  }

  sizeOf(index: number): number {
    return Math.min(PIECE, this.size - index * PIECE);
  }

  /** The platform copies the piece before this returns. */
  async add(index: number, piece: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#hashes.set(new Uint8Array(await crypto.subtle.digest('SHA-256', piece)), 32 * index);
  }

  joined(): Promise<string> {
    return sha256Chunks([this.#hashes]);
  }
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
