import type { BaseModel } from '../../formats/base-model.ts';
import type { Gpu } from '../../gpu/device.ts';
import type { DecoderWeights } from '../weights.ts';
import { allocateBase } from './allocate.ts';
import type { CacheEntry } from './cache/entry.ts';
import { CacheRefusal } from './cache/storage.ts';
import { BaseHash } from './read/content-hash.ts';
import { baseTensors } from './read/ingest.ts';
import { unwanted } from './read/read-plan.ts';
import { Upload } from './read/upload.ts';

export interface LoadOptions {
  /** Quantize the scales too (bnb_4bit_use_double_quant); a pre-quantized base keeps what it has. */
  doubleQuant: boolean;
  /** Rows of the rotary table: the longest sequence that will be used. */
  positions: number;
  /** Bytes of weights read so far, and in total. */
  onProgress?: (done: number, total: number) => void;
  /** The base's entry in the cache of quantized bases. */
  cache?: CacheEntry | undefined;
  /**
   * Given if the base's hash is not known yet: called with it once the base is on the device. The weight files are
   * then read from end to end, each byte once, and hashed while loading.
   */
  onContent?: ((content: string) => Promise<void> | void) | undefined;
  /** Bytes of the quantized base written to the cache so far, and in total. */
  onCaching?: (done: number, total: number) => void;
  onNote?: (text: string) => void;
}

const ignore = () => undefined;

/**
 * Loads a base onto the device, from the cache if it is there; otherwise from its files, and stores it for the next
 * start. Throws UserError.
 */
export async function loadBase(gpu: Gpu, model: BaseModel, options: LoadOptions): Promise<DecoderWeights> {
  const { cache, onContent, onProgress = ignore, onCaching = ignore, onNote = ignore } = options;
  const weights = allocateBase(gpu, model, options);
  if (await cache?.restore(gpu, weights, onProgress)) {
    return weights;
  }
  const hash = onContent && new BaseHash(model);
  await loadFiles(gpu, model, weights, onProgress, hash);
  if (hash) {
    const content = await hash.digest();
    await cache?.identified(content);
    await onContent(content);
  }
  try {
    await cache?.keep(gpu, weights, onCaching);
  } catch (error) {
    if (!(error instanceof CacheRefusal)) {
      throw error;
    }
    onNote(`The quantized base could not be cached for the next start: ${error.message}.`);
  }
  return weights;
}

/** Streams the files in order, quantizing the linear layers to NF4 on the fly. */
async function loadFiles(
  gpu: Gpu,
  model: BaseModel,
  weights: DecoderWeights,
  onProgress: (done: number, total: number) => void,
  hash: BaseHash | undefined,
): Promise<void> {
  const upload = new Upload(gpu);
  try {
    const tensors = baseTensors(upload, model, weights);
    const wanted = hash ? [...tensors, ...unwanted(tensors, model.weightFiles)] : tensors;
    const total = wanted.reduce((sum, { begin, end }) => sum + end - begin, 0);
    let done = 0;
    await upload.run(
      wanted,
      (bytes) => onProgress((done += bytes), total),
      hash && ((chunk, bytes) => hash.update(chunk, bytes)),
    );
  } finally {
    upload.close();
  }
}
