import type { Folder } from './byte-source.ts';
import { isRecord } from './fields.ts';
import { readJson } from './json.ts';
import { MAX_BYTES } from './read-text.ts';

/** What a model can take of tokens, as its config.json says; a key that is missing or senseless bounds nothing. */
export interface ModelLimits {
  /** Rows of the embedding: ids from there on have none. */
  tableRows: number;
  /** Positions that the model was made for. */
  maxPositions: number;
}

/** The limits of a folder that may be a model's tokenizer only. Throws UserError where its config.json is no JSON. */
export async function readModelLimits(folder: Folder): Promise<ModelLimits> {
  const file = await folder.open('config.json');
  const config = file ? await readJson(file, {}, MAX_BYTES.config) : {};
  const limit = (key: string): number => {
    const value = isRecord(config) ? config[key] : undefined;
    return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : Infinity;
  };
  return { tableRows: limit('vocab_size'), maxPositions: limit('max_position_embeddings') };
}
