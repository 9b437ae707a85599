import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type PiecewiseHashing, PiecewiseSha256 } from '../formats/piecewise-sha256.ts';

/** Enough for the fastest disks, where a core hashes 1.5 to 2 GB/s. */
const MAX_THREADS = 4;
/** How long threads without work stay. */
const IDLE_MS = 1000;

/** Hashes pieces whose parts come one after another; answers with a hash after a last part. */
const HASH = `
  const { parentPort } = require('node:worker_threads');
  const { createHash } = require('node:crypto');
  const pieces = new Map();
  parentPort.on('message', ({ piece, part, last }) => {
    const hash = pieces.get(piece) ?? createHash('sha256');
    pieces.set(piece, hash.update(part));
    if (last) pieces.delete(piece);
    parentPort.postMessage(last ? hash.digest() : undefined);
  });
`;

interface Asked {
  resolve: (hash: Uint8Array | undefined) => void;
  reject: (error: Error) => void;
}

/** A thread that hashes; answers come in the order of calls. */
class HashThread {
  readonly #worker = new Worker(HASH, { eval: true, execArgv: [] });
  readonly #asked: Asked[] = [];
  /** Why it ended before its time. */
  failed: Error | undefined;

  constructor() {
    this.#worker.on('message', (hash?: Uint8Array) => {
      this.#asked.shift()!.resolve(hash);
      this.#hold();
    });
    this.#worker.on('error', (error: Error) => {
      this.failed = error;
      this.#asked.splice(0).forEach(({ reject }) => reject(error));
    });
    this.#hold();
  }

  /** Adds a part, in memory that threads share, to a piece; resolves to its hash after the last part. */
  add(piece: number, part: Uint8Array, last: boolean): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      if (this.failed) {
        reject(this.failed);
        return;
      }
      this.#asked.push({ resolve, reject });
      this.#hold();
      this.#worker.postMessage({ piece, part, last });
    });
  }

  end(): void {
    void this.#worker.terminate();
  }

  /** A process waits for its hashes, not for idle threads. */
  #hold(): void {
    if (this.#asked.length > 0) {
      this.#worker.ref();
    } else {
      this.#worker.unref();
    }
  }
}

/** Threads while there are pieces to hash. */
class HashThreads {
  #threads: HashThread[] = [];
  #next = 0;
  #open = 0;
  #idle: NodeJS.Timeout | undefined;

  /** Begins a piece: returns what adds its parts. */
  begin(): (part: Uint8Array, last: boolean) => Promise<Uint8Array | undefined> {
    clearTimeout(this.#idle);
    this.#open++;
    const piece = this.#next++;
    const n = piece % Math.min(MAX_THREADS, availableParallelism());
    const kept = this.#threads[n];
    const thread = kept && !kept.failed ? kept : (this.#threads[n] = new HashThread());
    return async (part, last) => {
      try {
        return await thread.add(piece, part, last);
      } finally {
        if (last && --this.#open === 0) {
          this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
        }
      }
    };
  }

  #end(): void {
    this.#threads.forEach((thread) => thread.end());
    this.#threads = [];
  }
}

const threads = new HashThreads();

/** By Node's own threads, in place: WebCrypto would copy every piece into fresh memory, half as long as hashing it. */
class ThreadedSha256 extends PiecewiseSha256 {
  #piece: ReturnType<HashThreads['begin']> | undefined;

  protected async add(part: Uint8Array, has: number, size: number): Promise<void> {
    if (has === 0) {
      this.#piece = threads.begin();
    }
    const last = has + part.length === size;
    const shared = part.buffer instanceof SharedArrayBuffer ? part : part.slice();
    const added = this.#piece!(shared, last);
    if (last) {
      this.hashed(added as Promise<Uint8Array>);
    }
    await added;
  }
}

export const threadedHashing: PiecewiseHashing = {
  allocate: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
  begin: (size) => new ThreadedSha256(size),
};
