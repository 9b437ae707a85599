import { createSHA256, type IHasher } from 'hash-wasm';
import type { Sample } from './row-formats.ts';

/** Bytes of a row's hash. */
export const HASH_BYTES = 6;
/** Where the answer of a plain text begins, as the recipe writes its rows. */
const RESPONSE = '### Response:';

/**
 * What a row says, by hash: the same whatever it is cut to, and whatever the chat template makes of it. Each is the
 * first 48 bits of a SHA-256: two of a million different rows are the same with a chance of one in 560.
 */
export interface RowHashes {
  readonly content: number;
  /** What comes before its last answer; undefined where there is no answer, or nothing before it. */
  readonly question?: number;
  readonly answer?: number;
}

/** One for all: a hash is begun and ended in one call, and compiling another takes longer than a small file. */
let sha256: Promise<IHasher> | undefined;

/** Hashes what rows say. */
export class RowHasher {
  readonly #sha256: IHasher;

  private constructor(sha256: IHasher) {
    this.#sha256 = sha256;
  }

  static async create(): Promise<RowHasher> {
    sha256 ??= createSHA256();
    return new RowHasher(await sha256);
  }

  hash(sample: Sample): RowHashes {
    const content = this.#hash(contentOf(sample));
    const [question, answer] = lastAnswer(sample) ?? [];
    return question === undefined
      ? { content }
      : { content, question: this.#hash(question), answer: this.#hash(answer) };
  }

  #hash(value: unknown): number {
    const digest = this.#sha256.init().update(JSON.stringify(value, canonical)).digest('binary');
    return [...digest.subarray(0, HASH_BYTES)].reduce((all, byte) => 256 * all + byte, 0);
  }
}

/** What is hashed, as JSON: objects as their keys and values, by key; which turns are trained does not count. */
function contentOf(sample: Sample): unknown {
  switch (sample.kind) {
    case 'text':
      return ['text', sample.text];
    case 'completion':
      return ['completion', sample.prompt, sample.completion];
    case 'chat': {
      const { messages, tools, kwargs } = sample.conversation;
      return ['chat', messages, tools, kwargs];
    }
  }
}

/** The last answer, and all that is said before it. */
function lastAnswer(sample: Sample): readonly [unknown, unknown] | undefined {
  switch (sample.kind) {
    case 'text': {
      const at = sample.text.lastIndexOf(RESPONSE);
      return at < 0 ? undefined : pair(sample.text.slice(0, at), sample.text.slice(at + RESPONSE.length));
    }
    case 'completion':
      return pair(sample.prompt, sample.completion);
    case 'chat': {
      const { messages, tools, kwargs } = sample.conversation;
      const before = messages.slice(0, -1);
      return sample.trained.at(-1) === true && before.length > 0
        ? [[before, tools, kwargs], messages.at(-1)]
        : undefined;
    }
  }
}

/** Blanks around them do not make another question or answer. */
const pair = (question: string, answer: string): readonly [string, string] | undefined =>
  question.trim() === '' ? undefined : [question.trim(), answer.trim()];

function canonical(_: string, value: unknown): unknown {
  if (value instanceof Map) {
    return [...(value as Map<string, unknown>)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  }
  return value;
}
