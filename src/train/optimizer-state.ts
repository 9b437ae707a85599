import type { Gpu } from '../gpu/device.ts';
import { initialMCode } from '../gpu/kernels/optimizer/adamw8bit.ts';
import { type GpuBuffer, view } from '../gpu/memory.ts';
import { Readback, readOnce } from '../gpu/readback.ts';
import type { Stream } from '../gpu/stream.ts';
import { allocate, type Allocations } from '../model/allocations.ts';
import type { LoraLayout } from '../model/lora.ts';

/** Values per block; a block shares one absmax. */
export const BLOCK = 256;

/** resident: on the device; paged: in host memory, moved to the device one layer at a time. */
export type StateStorage = 'resident' | 'paged';

/** Bytes [offset, offset + size) of a layer's state; offsets are aligned for binding. */
export interface StateRange {
  readonly offset: number;
  readonly size: number;
}

/**
 * Offsets of the parts of one layer's state: codes and scales of the 8-bit tensors, f32 moments of the small ones.
 */
export function stateLayout({ values8bit, values }: LoraLayout) {
  let bytes = 0;
  const next = (size: number): StateRange => {
    const range = { offset: bytes, size };
    bytes = Math.ceil((bytes + size) / 256) * 256;
    return range;
  };
  const scales = (4 * values8bit) / BLOCK;
  const small = 4 * (values - values8bit);
  const ranges = {
    mCodes: next(values8bit),
    vCodes: next(values8bit),
    mAbsmax: next(scales),
    vAbsmax: next(scales),
    m: next(small),
    v: next(small),
  };
  return { ...ranges, bytes };
}

/** The state before the first step: the codes of zero. */
export function freshState(layout: LoraLayout): Uint8Array<ArrayBuffer> {
  const { bytes, mCodes } = stateLayout(layout);
  return new Uint8Array(bytes).fill(initialMCode, mCodes.offset, mCodes.offset + mCodes.size);
}

/** The state of every layer, resident or paged. */
export interface OptimizerState {
  /** Calls `update` for each layer, in order, to append the commands that change its state. */
  forEach(stream: Stream, update: (layer: number, state: GpuBuffer) => void): Promise<void>;
  read(stream: Stream, layer: number): Promise<Uint8Array>;
  write(layer: number, bytes: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export function openState(gpu: Gpu, layouts: readonly LoraLayout[], storage: StateStorage): OptimizerState {
  return storage === 'paged' ? new PagedState(gpu, layouts) : new ResidentState(gpu, layouts);
}

/** Device memory of a state. */
export function stateAllocations(layouts: readonly LoraLayout[], storage: StateStorage): Allocations[] {
  const sizes = layouts.map((layout) => stateLayout(layout).bytes);
  if (storage === 'resident') {
    return sizes.map((bytes) => ({ state: { kind: 'optimizer state', bytes } }));
  }
  const bytes = Math.max(...sizes);
  const slot: Allocations = {
    state: { kind: 'optimizer state', bytes },
    readback: { kind: 'uniforms and readback', bytes },
  };
  return [slot, slot];
}

class ResidentState implements OptimizerState {
  readonly #gpu: Gpu;
  readonly #layers: GpuBuffer[];

  constructor(gpu: Gpu, layouts: readonly LoraLayout[]) {
    this.#gpu = gpu;
    this.#layers = stateAllocations(layouts, 'resident').map((set) => allocate(gpu.memory, set).state!);
    layouts.forEach((layout, i) => this.write(i, freshState(layout)));
  }

  forEach(_: Stream, update: (layer: number, state: GpuBuffer) => void): Promise<void> {
    this.#layers.forEach((state, layer) => update(layer, state));
    return Promise.resolve();
  }

  read(stream: Stream, layer: number): Promise<Uint8Array> {
    return readOnce(stream, view(this.#layers[layer]!));
  }

  write(layer: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#gpu.device.queue.writeBuffer(this.#layers[layer]!.raw, 0, bytes);
  }

  close(): void {
    for (const buffer of this.#layers) {
      this.#gpu.memory.free(buffer);
    }
  }
}

/** Two buffers of the largest layer's size alternate, so that one layer is updated while another is transferred. */
class PagedState implements OptimizerState {
  readonly #gpu: Gpu;
  readonly #host: Uint8Array<ArrayBuffer>[];
  readonly #slots: { state: GpuBuffer; readback: Readback; done: Promise<void> }[];

  constructor(gpu: Gpu, layouts: readonly LoraLayout[]) {
    this.#gpu = gpu;
    this.#host = layouts.map(freshState);
    this.#slots = stateAllocations(layouts, 'paged').map(({ state, readback }) => ({
      state: gpu.memory.allocate('optimizer state', state!.kind, state!.bytes),
      readback: new Readback(gpu, 'optimizer state', readback!.bytes),
      done: Promise.resolve(),
    }));
  }

  async forEach(stream: Stream, update: (layer: number, state: GpuBuffer) => void): Promise<void> {
    for (const [layer, bytes] of this.#host.entries()) {
      if (bytes.length === 0) {
        continue;
      }
      const slot = this.#slots[layer % this.#slots.length]!;
      await slot.done;
      this.#gpu.device.queue.writeBuffer(slot.state.raw, 0, bytes);
      update(layer, slot.state);
      slot.done = this.#bringBack(stream, layer, slot);
      // If the device is lost, both reject; the first one awaited reports it.
      slot.done.catch(() => undefined);
    }
    for (const { done } of this.#slots) {
      await done;
    }
  }

  read(_: Stream, layer: number): Promise<Uint8Array> {
    return Promise.resolve(this.#host[layer]!);
  }

  write(layer: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#host[layer] = bytes;
  }

  close(): void {
    for (const { state, readback } of this.#slots) {
      this.#gpu.memory.free(state);
      readback.close();
    }
  }

  async #bringBack(
    stream: Stream,
    layer: number,
    slot: { state: GpuBuffer; readback: Readback },
  ): Promise<void> {
    const range = view(slot.state, 0, this.#host[layer]!.length);
    this.#host[layer] = await slot.readback.read(stream, range);
  }
}
