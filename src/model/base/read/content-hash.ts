import { baseFiles, type BaseModel } from '../../../formats/base-model.ts';
import { type ByteSource, openThose } from '../../../formats/byte-source.ts';
import { joinedHash, PiecewiseSha256, piecewiseSha256 } from '../../../formats/sha256.ts';
import { TOKENIZER_FILES } from '../../../text/load-tokenizer.ts';
import type { Chunk } from './read-plan.ts';

/** A base's identity: SHA-256 over its weights, configuration and tokenizer; `onProgress` in bytes. */
export async function baseHash(
  model: BaseModel,
  onProgress: (done: number, total: number) => void,
): Promise<string> {
  const files = [...baseFiles(model), ...(await tokenizerFiles(model))];
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const hashes = [];
  for (const file of files) {
    hashes.push(await piecewiseSha256(file, (bytes) => onProgress((done += bytes), total)));
  }
  return joinedHash(hashes);
}

/** Computes `baseHash` from the chunks that loading reads, which together are the weight files from end to end. */
export class BaseHash {
  readonly #model: BaseModel;
  readonly #weights: Map<ByteSource, PiecewiseSha256>;

  constructor(model: BaseModel) {
    this.#model = model;
    this.#weights = new Map(model.weightFiles.map((file) => [file, new PiecewiseSha256(file.size)]));
  }

  /** Adds a chunk; each file's chunks come in order. Its bytes may change once the promise has resolved. */
  update({ source, begin }: Pick<Chunk, 'source' | 'begin'>, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#weights.get(source)!.update(begin, bytes);
  }

  /** Call after the last chunk; reads the small files. */
  async digest(): Promise<string> {
    const hashes = [];
    for (const hash of this.#weights.values()) {
      hashes.push(await hash.digest());
    }
    for (const file of [this.#model.configFile, ...(await tokenizerFiles(this.#model))]) {
      hashes.push(await piecewiseSha256(file, () => undefined));
    }
    return joinedHash(hashes);
  }
}

const tokenizerFiles = ({ folder }: BaseModel): Promise<ByteSource[]> => openThose(folder, TOKENIZER_FILES);
