// References: E. J. Hu et al., "LoRA", arXiv:2106.09685; D. Kalajdzievski, "A Rank Stabilization Scaling Factor for
// Fine-Tuning with LoRA", arXiv:2312.03732 (rsLoRA).
import type { LoraWeights } from '../formats/adapter.ts';
import { type Projection, PROJECTIONS } from '../formats/decoder-weights.ts';
import type { LoraModule } from '../formats/lora-modules.ts';
import type { Gpu } from '../gpu/device.ts';
import { type BufferView, type GpuBuffer, view } from '../gpu/memory.ts';
import { readOnce } from '../gpu/readback.ts';
import type { Stream } from '../gpu/stream.ts';
import { allocate, type Allocations } from './allocations.ts';

/**
 * Every tensor starts at a multiple of this many values: the block of the 8-bit optimizer, so that blocks never
 * span tensors.
 */
const ALIGN = 256;
/** Tensors with fewer values have f32 optimizer state (bitsandbytes' min_8bit_size). */
const MIN_8BIT = 4096;

/** One LoRA tensor's place in its layer's flat buffers. */
interface LoraSlot {
  module: LoraModule;
  which: 'A' | 'B';
  /** Index of its first value; a multiple of 256. */
  begin: number;
  count: number;
}

/** One layer's LoRA tensors: those with 8-bit optimizer state first, then those with f32 state. */
export interface LoraLayout {
  slots: LoraSlot[];
  /** Number of values with 8-bit state; they come first. */
  values8bit: number;
  /** Total values, padding included. */
  values: number;
}

/** Bits per value of each optimizer moment. */
export type StateBits = 8 | 32;

/** Lays out the tensors of one layer's modules. */
export function loraLayout(modules: readonly LoraModule[], stateBits: StateBits = 8): LoraLayout {
  const min8bit = stateBits === 8 ? MIN_8BIT : Infinity;
  const tensors = modules.flatMap((module) => [
    { module, which: 'A' as const, count: module.r * module.inFeatures },
    { module, which: 'B' as const, count: module.outFeatures * module.r },
  ]);
  const slots: LoraSlot[] = [];
  let at = 0;
  const place = (of: typeof tensors) => {
    for (const tensor of of) {
      slots.push({ ...tensor, begin: at });
      at += Math.ceil(tensor.count / ALIGN) * ALIGN;
    }
    return at;
  };
  const values8bit = place(tensors.filter((t) => t.count >= min8bit));
  const values = place(tensors.filter((t) => t.count < min8bit));
  return { slots, values8bit, values };
}

/** Buffers of one layer's LoRA tensors; gradients only if the adapter is trained. */
export function loraAllocations(layout: LoraLayout, trained: boolean): Allocations<'weights' | 'grads'> {
  return {
    weights: { kind: 'LoRA weights', bytes: 4 * layout.values },
    grads: { kind: 'LoRA gradients', bytes: trained ? 4 * layout.values : 4 },
  };
}

/** A LoRA pair as the kernels take it. */
export interface LoraPair {
  module: LoraModule;
  A: BufferView;
  B: BufferView;
  dA: BufferView;
  dB: BufferView;
}

/** One layer's LoRA tensors on the device. */
interface LoraLayer {
  layout: LoraLayout;
  weights: GpuBuffer;
  grads: GpuBuffer;
  pairs: Partial<Record<Projection, LoraPair>>;
}

/**
 * An adapter on the device: f32 master weights and, if trained, their gradients. Throws UserError if the device
 * cannot allocate them.
 */
export class Lora {
  readonly layers: LoraLayer[];
  readonly dropout: number;
  readonly #gpu: Gpu;

  constructor(
    gpu: Gpu,
    weights: readonly LoraWeights[],
    layers: number,
    trained: boolean,
    dropout = 0,
    stateBits: StateBits = 8,
  ) {
    this.#gpu = gpu;
    this.dropout = dropout;
    this.layers = Array.from({ length: layers }, (_, layer) => {
      const own = weights.filter((w) => w.module.layer === layer);
      const layout = loraLayout(
        own.map((w) => w.module),
        stateBits,
      );
      const buffers = allocate(gpu.memory, loraAllocations(layout, trained));
      const flat = new Float32Array(layout.values);
      for (const slot of layout.slots) {
        const from = own.find((w) => w.module === slot.module)!;
        flat.set(slot.which === 'A' ? from.A : from.B, slot.begin);
      }
      gpu.device.queue.writeBuffer(buffers.weights.raw, 0, flat);
      return { layout, ...buffers, pairs: pairsOf(layout, buffers.weights, buffers.grads, trained) };
    });
  }

  /** Reads the master weights back. */
  async read(stream: Stream): Promise<LoraWeights[]> {
    const all: LoraWeights[] = [];
    for (const layer of this.layers) {
      if (layer.layout.values === 0) {
        continue;
      }
      const flat = new Float32Array((await readOnce(stream, view(layer.weights))).buffer as ArrayBuffer);
      const tensors = new Map<LoraModule, Partial<Pick<LoraWeights, 'A' | 'B'>>>();
      for (const { module, which, begin, count } of layer.layout.slots) {
        tensors.set(module, { ...tensors.get(module), [which]: flat.slice(begin, begin + count) });
      }
      for (const pair of Object.values(layer.pairs)) {
        const { A, B } = tensors.get(pair.module)!;
        all.push({ module: pair.module, A: A!, B: B! });
      }
    }
    return all;
  }

  close(): void {
    for (const { weights, grads } of this.layers) {
      this.#gpu.memory.free(weights);
      this.#gpu.memory.free(grads);
    }
  }
}

function pairsOf(layout: LoraLayout, weights: GpuBuffer, grads: GpuBuffer, trained: boolean) {
  const pairs: Partial<Record<Projection, LoraPair>> = {};
  const modules = [...new Set(layout.slots.map((s) => s.module))];
  for (const module of modules.sort(
    (a, b) => PROJECTIONS.indexOf(a.projection) - PROJECTIONS.indexOf(b.projection),
  )) {
    const range = (buffer: GpuBuffer, which: 'A' | 'B') => {
      const slot = layout.slots.find((s) => s.module === module && s.which === which)!;
      return view(buffer, 4 * slot.begin, 4 * slot.count);
    };
    const grad = (which: 'A' | 'B') => (trained ? range(grads, which) : view(grads));
    pairs[module.projection] = {
      module,
      A: range(weights, 'A'),
      B: range(weights, 'B'),
      dA: grad('A'),
      dB: grad('B'),
    };
  }
  return pairs;
}
