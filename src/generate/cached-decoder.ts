import type { DecoderConfig } from '../formats/decoder-config.ts';
import { argmax } from '../gpu/kernels/argmax.ts';
import { attentionDecode, attentionDecodeScratch } from '../gpu/kernels/attention/decode.ts';
import { attention } from '../gpu/kernels/attention/index.ts';
import { gatherRows } from '../gpu/kernels/embedding.ts';
import { headMatmul } from '../gpu/kernels/lm-head/lm-head.ts';
import type { FloatFormat } from '../gpu/kernels/shared/float-format.ts';
import { type GpuBuffer, view } from '../gpu/memory.ts';
import { Readback } from '../gpu/readback.ts';
import type { Stream } from '../gpu/stream.ts';
import { activationAllocations, Activations, type ActivationShape, logitRows } from '../model/activations.ts';
import { allocate, type Allocations } from '../model/allocations.ts';
import { uploadPass } from '../model/batch.ts';
import { forward, heads, type PassContext } from '../model/decoder.ts';
import type { Lora } from '../model/lora.ts';
import type { DecoderWeights } from '../model/weights.ts';
import { KvCache, kvCacheAllocations } from './kv-cache.ts';
import { type CachedPass, decodePass, prefillPass, type Sequence } from './passes.ts';

/** What generation is sized for; equal shapes give equal bytes. */
export interface GeneratorShape {
  /** Sequences decoded at once, at most 64. */
  sequences: number;
  /** Maximum tokens of a sequence, prompt and answer together. */
  capacity: number;
  /** Maximum LoRA rank. */
  rank: number;
}

/** Buffers for generation, by use; `results` is the staging buffer of the logits. */
export function generatorAllocations(
  config: DecoderConfig,
  headFormat: FloatFormat,
  shape: GeneratorShape,
): Allocations[] {
  const inner = activationShape(config, headFormat, shape);
  const { work, kept } = activationAllocations(inner);
  const cache = kvCacheAllocations({ config, tokens: inner.tokens, ...shape });
  return [work, ...kept, ...cache.layers, cache.batch, resultAllocations(config, shape)];
}

function activationShape(
  config: DecoderConfig,
  headFormat: FloatFormat,
  { sequences, capacity, rank }: GeneratorShape,
): ActivationShape {
  // Any prompt that fits the cache fits into one pass.
  const tokens = Math.max(capacity, sequences);
  return { config, headFormat, tokens, rank, training: false };
}

const resultAllocations = (
  { vocabSize, heads, headDim }: DecoderConfig,
  { sequences, capacity }: GeneratorShape,
) =>
  ({
    decodeScratch: {
      kind: 'working activations',
      bytes: 4 * attentionDecodeScratch({ sequences, capacity, heads, headDim }),
    },
    largest: { kind: 'batch', bytes: 4 * sequences },
    results: { kind: 'uniforms and readback', bytes: 4 * sequences * vocabSize },
  }) as const satisfies Allocations;

/** Runs the decoder over sequences whose keys and values it caches, up to the logits of the next token. */
export class CachedDecoder {
  /** Maximum tokens of a pass. */
  readonly tokens: number;
  readonly #stream: Stream;
  readonly #base: DecoderWeights;
  readonly #acts: Activations;
  readonly #cache: KvCache;
  readonly #largest: GpuBuffer;
  readonly #decodeScratch: GpuBuffer;
  readonly #capacity: number;
  readonly #readback: Readback;

  /** Throws UserError if the device cannot hold the cache. */
  constructor(stream: Stream, base: DecoderWeights, shape: GeneratorShape) {
    const { config, head, rope } = base;
    const inner = activationShape(config, head.format, shape);
    if (shape.capacity > rope.size / (4 * config.headDim)) {
      throw new Error(`sequences of ${shape.capacity} tokens, longer than the rotary table`);
    }
    if (shape.sequences > logitRows(inner)) {
      throw new Error(`${shape.sequences} sequences at once`);
    }
    this.tokens = inner.tokens;
    this.#stream = stream;
    this.#base = base;
    this.#cache = new KvCache(stream, { config, tokens: inner.tokens, ...shape });
    this.#acts = new Activations(stream.gpu, inner);
    const { results, ...others } = resultAllocations(config, shape);
    const { largest, decodeScratch } = allocate(stream.gpu.memory, others);
    this.#largest = largest;
    this.#decodeScratch = decodeScratch;
    this.#capacity = shape.capacity;
    this.#readback = new Readback(stream.gpu, 'logits', results.bytes);
  }

  /** Runs whole prompts in one pass and caches their keys and values. */
  prefill(sequences: readonly Sequence[], lora: Lora | undefined): Promise<void> {
    return this.#run(prefillPass(sequences), lora, (ctx) => (layer, q, k, v, o) => {
      const { acts, rows } = ctx;
      this.#cache.write(layer, k, v, rows);
      const ranges = view(acts.buffers.ranges);
      attention(this.#stream, { q, k, v, o, stats: acts.stats(layer), ranges, ...this.#heads(rows) });
    });
  }

  /** Runs the latest token of each sequence. */
  decode(sequences: readonly Sequence[], lora: Lora | undefined): Promise<void> {
    return this.#run(decodePass(sequences), lora, ({ acts, rows }) => (layer, q, k, v, o) => {
      this.#cache.write(layer, k, v, rows);
      const kept = this.#cache.layer(layer);
      const ranges = view(acts.buffers.ranges);
      attentionDecode(this.#stream, {
        ...{ q, ...kept, o, ranges, ...this.#heads(rows), sequences: rows },
        ...{ capacity: this.#capacity, scratch: view(this.#decodeScratch) },
      });
    });
  }

  /** Logits [vocab] of the token after each of the last run's sequences. */
  async logits(sequences: number): Promise<Float32Array[]> {
    const vocab = this.#base.config.vocabSize;
    const range = view(this.#acts.buffers.logits, 0, 4 * sequences * vocab);
    const all = new Float32Array((await this.#readback.read(this.#stream, range)).buffer);
    return Array.from({ length: sequences }, (_, row) => all.subarray(row * vocab, (row + 1) * vocab));
  }

  /** Index of the largest logit of each sequence: reads back four bytes instead of a vocabulary. */
  async largest(sequences: number): Promise<Uint32Array> {
    const out = view(this.#largest, 0, 4 * sequences);
    const vocab = this.#base.config.vocabSize;
    argmax(this.#stream, { logits: view(this.#acts.buffers.logits), out, rows: sequences, vocab });
    return new Uint32Array((await this.#readback.read(this.#stream, out)).buffer);
  }

  close(): void {
    this.#acts.close();
    this.#cache.close();
    this.#readback.close();
    this.#stream.gpu.memory.free(this.#largest);
    this.#stream.gpu.memory.free(this.#decodeScratch);
  }

  async #run(
    { pass, slots }: CachedPass,
    lora: Lora | undefined,
    attend: (ctx: PassContext) => PassContext['attend'] & {},
  ): Promise<void> {
    const [stream, base, acts] = [this.#stream, this.#base, this.#acts];
    uploadPass(stream, acts, pass);
    this.#cache.setSlots(slots);
    const ctx: PassContext = { stream, base, lora, acts, rows: pass.ids.length, dropout: 0 };
    ctx.attend = attend(ctx);
    await forward(ctx);
    // The head is a large product: only rows whose next token is wanted go through it.
    const { normed, targetIndex, headIn, logits } = acts.buffers;
    const [x, count] = [view(headIn), pass.targets.index.length];
    const width = base.config.hiddenSize;
    gatherRows(stream, { x: view(normed), index: view(targetIndex), y: x, count, width });
    headMatmul(stream, { x, table: base.head, logits: view(logits), rows: count });
  }

  #heads(tokens: number) {
    return heads(this.#base.config, tokens);
  }
}
