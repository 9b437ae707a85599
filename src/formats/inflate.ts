import { UserError } from './user-error.ts';
import { showBytes } from './words.ts';

/** Bytes unpacked at once: the platform unpacks a piece as a whole, up to a thousandfold. */
const MORSEL = 16 * 1024;

/**
 * Unpacks bytes piece by piece with the platform's DecompressionStream. What `packed` throws is thrown on; if the
 * bytes are not in `format`, or end early, throws `damaged`.
 */
export async function* inflate(
  packed: AsyncIterable<Uint8Array<ArrayBuffer>>,
  format: CompressionFormat,
  damaged: () => UserError,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const morsels = morselsOf(packed);
  let failure: { error: unknown } | undefined;
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: async (controller) => {
      try {
        const { done, value } = await morsels.next();
        if (done) {
          controller.close();
        } else {
          controller.enqueue(value);
        }
      } catch (error) {
        failure = { error };
        controller.error(error);
      }
    },
  });
  const reader = source.pipeThrough(new DecompressionStream(format)).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw failure ? failure.error : damaged();
      });
      if (done) {
        return;
      }
      yield value as Uint8Array<ArrayBuffer>;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
    await morsels.return(undefined);
  }
}

async function* morselsOf(
  packed: AsyncIterable<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const chunk of packed) {
    for (let begin = 0; begin < chunk.length; begin += MORSEL) {
      yield chunk.slice(begin, begin + MORSEL);
    }
  }
}

/** How many times its size a file may unpack to; texts pack by 3 to 10, and by 50 where all are alike. */
const MAX_RATIO = 200;
/** What any file may unpack to. */
const FREE_BYTES = 32 * 2 ** 20;

/** Counts what a packed file unpacks to. */
export class UnpackedBytes {
  readonly #name: string;
  readonly #most: number;
  #bytes = 0;

  constructor({ name, size }: { name: string; size: number }) {
    this.#name = name;
    this.#most = Math.max(FREE_BYTES, MAX_RATIO * size);
  }

  /** Throws UserError for a file that unpacks to far more than any dataset does. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#most) {
      throw new UserError(
        `${this.#name}: unpacks to more than ${showBytes(this.#most)}, over ${MAX_RATIO} times its size, as no dataset does; if it is one, unpack it yourself and choose that file.`,
      );
    }
  }
}
