import type { Folder } from './byte-source.ts';
import { isRecord } from './fields.ts';
import { readJson } from './json.ts';
import { MAX_BYTES } from './read-text.ts';

/** A model's limits on tokens, from its config.json; a missing or invalid key sets no limit. */
interface ModelLimits {
  /** Rows of the embedding: larger ids have none. */
  tableRows: number;
  /** Positions that the model supports (max_position_embeddings). */
  maxPositions: number;
}

/** The limits for a folder that may hold a tokenizer only. Throws UserError if its config.json is not JSON. */
export async function readModelLimits(folder: Folder): Promise<ModelLimits> {
  const file = await folder.open('config.json');
  const config = file ? await readJson(file, {}, MAX_BYTES.config) : {};
  const limit = (key: string): number => {
    const value = isRecord(config) ? config[key] : undefined;
    return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : Infinity;
  };
  return { tableRows: limit('vocab_size'), maxPositions: limit('max_position_embeddings') };
}
