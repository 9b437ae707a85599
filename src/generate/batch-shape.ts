import type { DecoderConfig } from '../formats/decoder-config.ts';
import { keyWidth } from '../model/allocations.ts';
import type { GeneratorShape } from './cached-decoder.ts';

/** Sequences at once: as many as the matrix-vector kernel takes. */
const SEQUENCES = 8;
/** Bytes for all keys and values; fewer sequences run at once if they are long. */
const CACHE_BYTES = 2 ** 29;

/** The generator for a batch of prompts. `rank`: the largest of the adapters that will answer. */
export function batchShape(
  config: DecoderConfig,
  prompts: readonly (readonly number[])[],
  maxNewTokens: number,
  rank: number,
): GeneratorShape {
  const capacity = prompts.reduce((most, { length }) => Math.max(most, length), 0) + maxNewTokens;
  const bytes = 2 * 4 * config.layers * keyWidth(config) * capacity;
  const fit = Math.max(1, Math.floor(CACHE_BYTES / bytes));
  return { sequences: Math.min(SEQUENCES, fit, prompts.length), capacity, rank };
}
