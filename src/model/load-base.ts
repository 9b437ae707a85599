import type { BaseModel } from '../formats/base-model.ts';
import type { Gpu } from '../gpu/device.ts';
import { allocateBase } from './base-buffers.ts';
import { baseTensors } from './base-tensors.ts';
import { Upload } from './upload.ts';
import type { DecoderWeights } from './weights.ts';

export interface LoadOptions {
  /** Quantise the scales too (bnb_4bit_use_double_quant); a pre-quantised base keeps what it has. */
  doubleQuant: boolean;
  /** Rows of the rotary table: the longest sequence that will be seen. */
  positions: number;
  /** Bytes of weights read so far and in all. */
  onProgress?: (done: number, total: number) => void;
}

/** Streams a base to the device in the order of its files, its linear layers quantised to NF4 on the way. */
export async function loadBase(gpu: Gpu, model: BaseModel, options: LoadOptions): Promise<DecoderWeights> {
  const weights = allocateBase(gpu, model, options);
  const upload = new Upload(gpu);
  try {
    const wanted = baseTensors(upload, model, weights);
    const total = wanted.reduce((sum, { begin, end }) => sum + end - begin, 0);
    let done = 0;
    await upload.run(wanted, (bytes) => options.onProgress?.((done += bytes), total));
    return weights;
  } finally {
    upload.close();
  }
}
