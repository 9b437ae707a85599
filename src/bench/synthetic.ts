import { PROJECTIONS } from '../formats/decoder-weights.ts';
import { signedDynamicMap } from '../formats/nf4.ts';
import { Xoshiro128 } from '../formats/xoshiro128.ts';
import type { Gpu } from '../gpu/device.ts';
import type { LinearWeight } from '../gpu/kernels/linear/nf4-operands.ts';
import type { BufferView } from '../gpu/memory.ts';
import { allocateBase } from '../model/base/allocate.ts';
import type { DecoderWeights } from '../model/weights.ts';
import type { SessionInputs } from '../run/session.ts';

/** Bytes of random numbers, repeated as needed. */
const POOL = 2 ** 22;

/** Fills buffers with random contents that resemble a model's. */
export class Filler {
  readonly #gpu: Gpu;
  readonly #words = new Uint32Array(POOL / 4);

  constructor(gpu: Gpu, seed = 1) {
    this.#gpu = gpu;
    const random = Xoshiro128.seeded(seed);
    for (let i = 0; i < this.#words.length; i++) {
      this.#words[i] = random.u32();
    }
  }

  /** Any bytes: codes. */
  bytes(to: BufferView): void {
    this.#fill(to, this.#words);
  }

  /** f32 between low and high. */
  floats(to: BufferView, low: number, high: number): void {
    const count = Math.min(this.#words.length, to.size / 4);
    const values = Float32Array.from(
      { length: count },
      (_, i) => low + ((high - low) * this.#words[i]!) / 2 ** 32,
    );
    this.#fill(to, new Uint32Array(values.buffer));
  }

  /** Pairs of bf16 of either sign, with magnitudes from 0.008 to 0.03. */
  bf16(to: BufferView): void {
    this.#fill(
      to,
      this.#words.map((word) => (word & 0x80ff80ff) | 0x3c003c00),
    );
  }

  /** A weight like a model's: scales near 0.05 if it is NF4. */
  weight(weight: LinearWeight): void {
    if ('format' in weight) {
      return this.bf16(weight.values);
    }
    const { codes, scales, nested } = weight;
    this.bytes(codes);
    if (!nested) {
      return this.floats(scales, 0.04, 0.06);
    }
    this.bytes(scales);
    const part = (word: number, end: number) => ({
      ...scales,
      offset: scales.offset + 4 * word,
      size: 4 * (end - word),
    });
    this.floats(part(nested.absmaxAt, nested.mapAt), 0.009, 0.011);
    this.#fill(part(nested.mapAt, nested.mapAt + 256), new Uint32Array(signedDynamicMap().slice().buffer));
    nested.offset = 0.05;
  }

  #fill(to: BufferView, words: Uint32Array<ArrayBuffer>): void {
    for (let at = 0; at < to.size; at += words.byteLength) {
      const count = Math.min(words.length, (to.size - at) / 4);
      this.#gpu.device.queue.writeBuffer(to.buffer.raw, to.offset + at, words, 0, count);
    }
  }
}

/** A base of the inputs' shape on the device, with random weights; reads no file. */
export function syntheticBase(gpu: Gpu, inputs: SessionInputs, positions: number): DecoderWeights {
  const { useDoubleQuant: doubleQuant } = inputs.inputs.recipe.quantization;
  const base = allocateBase(gpu, inputs.model, { doubleQuant, positions });
  const fill = new Filler(gpu);
  for (const part of base.embedding.parts) {
    fill.bf16(part.view);
  }
  fill.floats(base.finalNorm, 0.9, 1.1);
  for (const { inputNorm, postNorm, linear } of base.layers) {
    for (const norm of [inputNorm, postNorm]) {
      fill.floats(norm, 0.9, 1.1);
    }
    for (const projection of PROJECTIONS) {
      const { weight, bias } = linear[projection];
      fill.weight(weight);
      if (bias) {
        fill.floats(bias, -0.3, 0.3);
      }
    }
  }
  return base;
}
