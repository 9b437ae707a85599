import { UserError } from '../formats/user-error.ts';
import { Xoshiro128 } from '../formats/xoshiro128.ts';
import type { Stream } from '../gpu/stream.ts';
import type { Lora } from '../model/lora.ts';
import type { DecoderWeights } from '../model/weights.ts';
import { CachedDecoder, type GeneratorShape } from './cached-decoder.ts';
import type { Sequence } from './passes.ts';
import { checkSampling, sampleToken, type Sampling } from './sampling.ts';

export interface GenerateOptions {
  maxNewTokens: number;
  /** Ids that end a sequence; they are not part of the result. */
  stopIds: readonly number[];
  sampling: Sampling;
  /** Integer below 2³². Each prompt has its own random sequence, whatever runs beside it. */
  seed: number;
  /** The prompts' indices in a larger list; with the seed they determine the random sequences. Default: 0, 1, … */
  numbers?: readonly number[] | undefined;
  /** Stops between two tokens; the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called with each new token and the index of its prompt. */
  onToken?: ((prompt: number, id: number) => void) | undefined;
  /** Awaited between two tokens; generation pauses until it resolves. */
  onPassEnd?: (() => Promise<void>) | undefined;
  /** Called with a prompt's complete result, as soon as it ends. */
  onEnd?: ((prompt: number, generated: Generated) => void) | undefined;
}

export interface Generated {
  ids: number[];
  stopped: 'stop id' | 'length';
}

interface Running extends Sequence {
  readonly index: number;
  readonly ids: number[];
  readonly random: Xoshiro128;
}

/**
 * Continues several prompts at once; when one ends, the next takes its place. The base is shared; each call names
 * its adapter. One call at a time.
 */
export class TextGenerator {
  readonly shape: GeneratorShape;
  readonly #decoder: CachedDecoder;

  /** Throws UserError if the device cannot hold the cache. */
  constructor(stream: Stream, base: DecoderWeights, shape: GeneratorShape) {
    this.shape = shape;
    this.#decoder = new CachedDecoder(stream, base, shape);
  }

  /**
   * Continues each prompt, of at least one id; results are in the prompts' order. Throws UserError if a prompt and
   * its answer may not fit the cache, or if the model's logits are not finite.
   */
  async generate(
    prompts: readonly (readonly number[])[],
    lora: Lora | undefined,
    options: GenerateOptions,
  ): Promise<Generated[]> {
    this.#check(prompts, lora, options);
    const { signal, stopIds, maxNewTokens, onToken, onPassEnd, onEnd } = options;
    const waiting = this.#sequences(prompts, options);
    const places = Array.from({ length: this.shape.sequences }, (_, i) => i * this.shape.capacity);
    const results = new Array<Generated>(prompts.length);
    let running: Running[] = [];
    const end = (sequence: Running, stopped: Generated['stopped']): void => {
      const generated = { ids: sequence.ids, stopped };
      results[sequence.index] = generated;
      running = running.filter((other) => other !== sequence);
      places.push(sequence.firstSlot);
      onEnd?.(sequence.index, generated);
    };
    while (waiting.length > 0 || running.length > 0) {
      await onPassEnd?.();
      signal?.throwIfAborted();
      const fresh = this.#admit(waiting, places);
      const batch = fresh.length > 0 ? fresh : running;
      running = [...running, ...fresh];
      const next = await this.#next(batch, lora, options.sampling, batch === fresh);
      batch.forEach((sequence, i) => {
        const id = next[i]!;
        if (stopIds.includes(id)) {
          return end(sequence, 'stop id');
        }
        sequence.ids.push(id);
        onToken?.(sequence.index, id);
        if (sequence.ids.length === maxNewTokens) {
          end(sequence, 'length');
        }
      });
    }
    return results;
  }

  close(): void {
    this.#decoder.close();
  }

  #check(prompts: readonly (readonly number[])[], lora: Lora | undefined, options: GenerateOptions): void {
    checkSampling(options.sampling);
    const { capacity, rank } = this.shape;
    const { maxNewTokens } = options;
    prompts.forEach(({ length }, i) => {
      if (length + maxNewTokens > capacity) {
        throw new UserError(
          `prompt ${i + 1}: ${length} tokens and ${maxNewTokens} new ones, expected at most ${capacity} together; shorten the prompt or lower the number of new tokens.`,
        );
      }
      if (length === 0) {
        throw new Error(`prompt ${i + 1} is empty`);
      }
    });
    const ranks = lora?.layers.flatMap(({ pairs }) => Object.values(pairs).map(({ module }) => module.r));
    if (ranks?.some((r) => r > rank)) {
      throw new Error(`an adapter of rank ${Math.max(...ranks)} where at most ${rank} was expected`);
    }
  }

  #sequences(prompts: readonly (readonly number[])[], { seed, numbers }: GenerateOptions) {
    const source = Xoshiro128.seeded(seed);
    const last = numbers?.reduce((most, n) => Math.max(most, n), 0) ?? prompts.length - 1;
    const seeds = Array.from({ length: last + 1 }, () => source.u32());
    return prompts.map((prompt, index) => ({
      prompt,
      index,
      random: Xoshiro128.seeded(seeds[numbers?.[index] ?? index]!),
    }));
  }

  /**
   * Admits one waiting sequence if a place is free. Its prompt runs in a pass of its own: its position in a pass,
   * and its neighbors there, would affect the last bits, and an interrupted test must resume to the same answers.
   */
  #admit(waiting: Omit<Running, 'ids' | 'firstSlot'>[], places: number[]): Running[] {
    if (waiting.length === 0 || places.length === 0) {
      return [];
    }
    return [{ ...waiting.shift()!, ids: [], firstSlot: places.shift()! }];
  }

  /** The next token of each sequence. */
  async #next(
    batch: readonly Running[],
    lora: Lora | undefined,
    sampling: Sampling,
    fresh: boolean,
  ): Promise<ArrayLike<number>> {
    await (fresh ? this.#decoder.prefill(batch, lora) : this.#decoder.decode(batch, lora));
    // The first logits are always checked, because a broken model shows there.
    if (!fresh && sampling.temperature === 0 && sampling.repetitionPenalty === 1) {
      return this.#decoder.largest(batch.length);
    }
    const logits = await this.#decoder.logits(batch.length);
    if (fresh && !logits.every((row) => row.every(Number.isFinite))) {
      throw new UserError(
        'the logits of this model are not finite numbers, so its base or its adapter is broken; take another copy of them or an earlier checkpoint.',
      );
    }
    return batch.map(({ prompt, ids, random }, i) =>
      sampleToken(logits[i]!, sampling, [...prompt, ...ids], random),
    );
  }
}
