import type { DecoderConfig } from '../formats/decoder-config.ts';
import { UserError } from '../formats/user-error.ts';
import { cacheWrite } from '../gpu/kernels/attention/decode.ts';
import { type BufferView, type GpuBuffer, mib, view } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import { allocate, type Allocations, keyWidth } from '../model/allocations.ts';

/** What a cache is sized for; equal shapes give equal bytes. */
interface KvCacheShape {
  config: DecoderConfig;
  /** Sequences generated at once. */
  sequences: number;
  /** Maximum tokens of each sequence, prompt included. */
  capacity: number;
  /** Maximum tokens written at once. */
  tokens: number;
}

/** The buffers of a cache. */
export function kvCacheAllocations({ config, sequences, capacity, tokens }: KvCacheShape) {
  const half = { kind: 'KV cache', bytes: 4 * sequences * capacity * keyWidth(config) } as const;
  return {
    layers: Array.from({ length: config.layers }, () => ({ k: half, v: half })),
    batch: { slots: { kind: 'batch', bytes: 4 * tokens } },
  } as const satisfies { layers: Allocations[]; batch: Allocations };
}

/**
 * Keys and values of all layers, f32 [sequences·capacity, kvHeads·headDim] each: consecutive slots for every
 * sequence.
 */
export class KvCache {
  readonly shape: KvCacheShape;
  readonly #stream: Stream;
  readonly #layers: Record<'k' | 'v', GpuBuffer>[];
  readonly #slots: GpuBuffer;

  /** Throws UserError if a layer's keys exceed the device's binding limit. */
  constructor(stream: Stream, shape: KvCacheShape) {
    this.shape = shape;
    this.#stream = stream;
    const { memory, device } = stream.gpu;
    const sets = kvCacheAllocations(shape);
    const [bytes, limit] = [sets.layers[0]!.k.bytes, device.limits.maxStorageBufferBindingSize];
    if (bytes > limit) {
      throw new UserError(
        `GPU memory: the KV cache of ${shape.sequences} sequences of ${shape.capacity} tokens needs ${mib(bytes)} MiB in one piece, this device allows ${mib(limit)} MiB; decode fewer sequences at once or shorten them.`,
      );
    }
    this.#layers = sets.layers.map((set) => allocate(memory, set));
    this.#slots = allocate(memory, sets.batch).slots;
  }

  /**
   * Sets the cache slot of each token of the next pass. Work that reads the previous slots must have been
   * submitted.
   */
  setSlots(slots: Uint32Array): void {
    this.#stream.gpu.device.queue.writeBuffer(this.#slots.raw, 0, slots as Uint32Array<ArrayBuffer>);
  }

  /** Stores a layer's keys and values [T, kvHeads·headDim] of the pass in its slots. */
  write(layer: number, k: BufferView, v: BufferView, tokens: number): void {
    const width = keyWidth(this.shape.config);
    const cache = this.layer(layer);
    const slots = view(this.#slots);
    cacheWrite(this.#stream, { x: k, slots, cache: cache.k, tokens, width });
    cacheWrite(this.#stream, { x: v, slots, cache: cache.v, tokens, width });
  }

  layer(layer: number): Record<'k' | 'v', BufferView> {
    const { k, v } = this.#layers[layer]!;
    return { k: view(k), v: view(v) };
  }

  close(): void {
    const { memory } = this.#stream.gpu;
    for (const { k, v } of this.#layers) {
      [k, v].forEach((buffer) => memory.free(buffer));
    }
    memory.free(this.#slots);
  }
}
