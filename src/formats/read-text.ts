import { type ByteSource, readAll } from './byte-source.ts';
import { UserError } from './user-error.ts';
import { decodeUtf8 } from './utf8.ts';
import { showBytes } from './words.ts';

const MIB = 2 ** 20;

/** Maximum bytes of each kind of file: several times the largest of any model. */
export const MAX_BYTES = {
  /** config.json, generation_config.json, adapter_config.json. */
  config: 4 * MIB,
  /** tokenizer.json; Gemma's, one of the largest, has 33 MB. */
  tokenizer: 128 * MIB,
  tokenizerConfig: 16 * MIB,
  chatTemplate: MIB,
  /** model.safetensors.index.json. */
  weightIndex: 64 * MIB,
  recipe: MIB,
  /** Files written by Retune: trainer_state.json, retune_state.json, results. JavaScript strings cannot be longer. */
  own: 511 * MIB,
} as const;

/**
 * The text of a file, without its byte-order mark unless `keepMark`. Throws UserError if it is larger than
 * `maxBytes` (it is then not read) or not UTF-8; `expected` says what it should be.
 */
export async function readText(
  source: ByteSource,
  maxBytes: number,
  expected: string,
  { keepMark = false } = {},
): Promise<string> {
  if (source.size > maxBytes) {
    throw new UserError(
      `${source.name}: ${showBytes(source.size)}, expected ${expected} of at most ${showBytes(maxBytes)}; download or export it again.`,
    );
  }
  const text = decodeUtf8(await readAll(source));
  if (text === undefined) {
    throw new UserError(
      `${source.name}: not valid UTF-8, expected ${expected}; download or export it again.`,
    );
  }
  return keepMark ? text : text.replace(/^\ufeff/, '');
}
