import type { ByteSource } from './byte-source.ts';
import { sha256Chunks } from './sha256.ts';

/** Bytes per piece. */
const PIECE = 8 * 2 ** 20;

/**
 * SHA-256 of the SHA-256s of pieces of 8 MiB, in lower-case hex, of bytes that arrive in order, in parts of any length.
 * For gigabytes: pieces are hashed at once, beside this thread.
 */
export abstract class PiecewiseSha256 {
  readonly #size: number;
  readonly #hashes: Uint8Array;
  readonly #underWay: Promise<void>[] = [];
  #at = 0;
  /** The last part that was added. */
  #last: Promise<void> = Promise.resolve();

  /** `size` is the total number of bytes. */
  constructor(size: number) {
    this.#size = size;
    this.#hashes = new Uint8Array(32 * Math.max(1, Math.ceil(size / PIECE)));
  }

  /** Adds the bytes from `begin` on; once it has resolved they may change. Rejects if they are out of order. */
  async update(begin: number, bytes: Uint8Array): Promise<void> {
    if (begin !== this.#at) {
      throw new Error(`bytes from ${begin} on came where ${this.#at} was expected`);
    }
    const added = [];
    for (let from = 0; from < bytes.length;) {
      const has = this.#at % PIECE;
      const size = Math.min(PIECE, this.#size - this.#at + has);
      const part = bytes.subarray(from, from + size - has);
      this.#last = this.add(part, has, size);
      added.push(this.#last);
      from += part.length;
      this.#at += part.length;
    }
    await Promise.all(added);
  }

  /** Call after the last bytes. Throws Error if some are missing. */
  async digest(): Promise<string> {
    if (this.#at !== this.#size) {
      throw new Error(`${this.#at} bytes came where ${this.#size} were expected`);
    }
    if (this.#size === 0) {
      await this.add(new Uint8Array(0), 0, 0);
    }
    await this.#last;
    await Promise.all(this.#underWay);
    return sha256Chunks([this.#hashes]);
  }

  /**
   * Adds a part to the current piece, which has `has` of its `size` bytes already; resolves once the part may change.
   * Called without waiting. A complete piece's hash goes to `hashed`, in the order of pieces.
   */
  protected abstract add(part: Uint8Array, has: number, size: number): Promise<void>;

  protected hashed(hash: Promise<ArrayBuffer | Uint8Array>): void {
    const at = 32 * this.#underWay.length;
    const kept = hash.then((bytes) => this.#hashes.set(new Uint8Array(bytes), at));
    // Its failure is reported to whoever awaits it; if reading fails first, nobody does.
    kept.catch(() => undefined);
    this.#underWay.push(kept);
  }
}

/** Maximum pieces being hashed at once by WebCrypto, which holds a copy of each. */
const UNDER_WAY = 4;

/** By WebCrypto, which copies a piece before it hashes it. */
class WebCryptoSha256 extends PiecewiseSha256 {
  /** The start of a piece that is still incomplete. */
  #begun: Uint8Array<ArrayBuffer> | undefined;
  #last: Promise<void> = Promise.resolve();
  readonly #digests: Promise<ArrayBuffer>[] = [];

  protected add(part: Uint8Array<ArrayBuffer>, has: number, size: number): Promise<void> {
    return (this.#last = this.#last.then(async () => {
      if (part.length === size) {
        return this.#hash(part);
      }
      this.#begun ??= new Uint8Array(PIECE);
      this.#begun.set(part, has);
      if (has + part.length === size) {
        await this.#hash(this.#begun.subarray(0, size));
      }
    }));
  }

  async #hash(piece: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#digests.length === UNDER_WAY) {
      await this.#digests.shift();
    }
    const digest = crypto.subtle.digest('SHA-256', piece);
    this.#digests.push(digest);
    this.hashed(digest);
  }
}

/** How a platform hashes gigabytes. */
export interface PiecewiseHashing {
  /** Memory whose bytes it hashes without copying them, where it can. */
  allocate(bytes: number): Uint8Array;
  /** Begins a hash of `size` bytes. */
  begin(size: number): PiecewiseSha256;
}

let hashing: PiecewiseHashing = {
  allocate: (bytes) => new Uint8Array(bytes),
  begin: (size) => new WebCryptoSha256(size),
};

/** The platform's hashing: WebCrypto's, unless the command line has set its own. */
export const piecewiseHashing = (): PiecewiseHashing => hashing;

export function setPiecewiseHashing(own: PiecewiseHashing): void {
  hashing = own;
}

/** The `PiecewiseSha256` of a file that is not large. */
export async function piecewiseSha256(source: ByteSource): Promise<string> {
  const hash = new WebCryptoSha256(source.size);
  const buffer = new Uint8Array(Math.min(PIECE, source.size));
  for (let begin = 0; begin < source.size; begin += PIECE) {
    const part = buffer.subarray(0, Math.min(PIECE, source.size - begin));
    await source.read(begin, part);
    await hash.update(begin, part);
  }
  return hash.digest();
}
