import type { BaseModel } from '../../../formats/base-model.ts';
import { type ByteSource, openThose } from '../../../formats/byte-source.ts';
import {
  piecewiseHashing,
  type PiecewiseSha256,
  piecewiseSha256,
} from '../../../formats/piecewise-sha256.ts';
import { joinedHash } from '../../../formats/sha256.ts';
import { TOKENIZER_FILES } from '../../../text/load-tokenizer.ts';
import { CHUNK_BYTES, readAhead } from './read-ahead.ts';
import { type Chunk, readPlan, unwanted } from './read-plan.ts';

/** A base's identity: SHA-256 over its weights, configuration and tokenizer; `onProgress` in bytes of its weights. */
export async function baseHash(
  model: BaseModel,
  onProgress: (done: number, total: number) => void,
): Promise<string> {
  const hash = new BaseHash(model);
  const all = unwanted([], model.weightFiles);
  const total = all.reduce((sum, { end }) => sum + end, 0);
  let done = 0;
  await readAhead(readPlan(all, CHUNK_BYTES), {
    see: (chunk, bytes) => hash.update(chunk, bytes),
    take: async ({ bytes }) => onProgress((done += bytes), total),
  });
  return hash.digest();
}

/** Computes `baseHash` from the chunks that loading reads, which together are the weight files from end to end. */
export class BaseHash {
  readonly #model: BaseModel;
  readonly #weights: Map<ByteSource, PiecewiseSha256>;

  constructor(model: BaseModel) {
    this.#model = model;
    const { begin } = piecewiseHashing();
    this.#weights = new Map(model.weightFiles.map((file) => [file, begin(file.size)]));
  }

  /** Adds a chunk; each file's chunks come in order. Its bytes may change once the promise has resolved. */
  update({ source, begin }: Pick<Chunk, 'source' | 'begin'>, bytes: Uint8Array): Promise<void> {
    return this.#weights.get(source)!.update(begin, bytes);
  }

  /** Call after the last chunk; reads the small files. */
  async digest(): Promise<string> {
    const hashes = [];
    for (const hash of this.#weights.values()) {
      hashes.push(await hash.digest());
    }
    for (const file of [this.#model.configFile, ...(await tokenizerFiles(this.#model))]) {
      hashes.push(await piecewiseSha256(file));
    }
    return joinedHash(hashes);
  }
}

const tokenizerFiles = ({ folder }: BaseModel): Promise<ByteSource[]> => openThose(folder, TOKENIZER_FILES);
