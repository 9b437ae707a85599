import { UserError } from '../formats/user-error.ts';

/** What device memory is used for; the account and `plan` use the same terms. */
export type MemoryKind =
  | 'base weights'
  | 'base scales'
  | 'embedding'
  | 'norms and biases'
  | 'LoRA weights'
  | 'LoRA gradients'
  | 'optimizer state'
  | 'kept activations'
  | 'working activations'
  | 'logits'
  | 'KV cache'
  | 'batch'
  | 'uniforms and readback';

/** One allocation on the device. `id` is unique for the life of the account. */
export class GpuBuffer {
  readonly id: number;
  readonly label: string;
  readonly kind: MemoryKind;
  /** Bytes, a multiple of 4. */
  readonly size: number;
  readonly raw: GPUBuffer;
  /** All of it; one object, since most bindings are whole buffers, and those are compared by it. */
  readonly whole: BufferView;

  constructor(id: number, label: string, kind: MemoryKind, size: number, raw: GPUBuffer) {
    this.id = id;
    this.label = label;
    this.kind = kind;
    this.size = size;
    this.raw = raw;
    this.whole = { buffer: this, offset: 0, size };
  }
}

/** The range of a buffer bound to a kernel. `offset` is a multiple of 256 bytes. */
export interface BufferView {
  readonly buffer: GpuBuffer;
  readonly offset: number;
  readonly size: number;
}

/** The range [offset, offset + size) of a buffer, in bytes; by default the whole buffer. */
export function view(buffer: GpuBuffer, offset = 0, size = buffer.size - offset): BufferView {
  return offset === 0 && size === buffer.size ? buffer.whole : { buffer, offset, size };
}

/** Whether two views are of the same range. Runs for every binding of every dispatch, so it must be fast. */
export const sameView = (a: BufferView, b: BufferView): boolean =>
  a === b || (a.buffer === b.buffer && a.offset === b.offset && a.size === b.size);

/**
 * The smallest view that covers views of one buffer, and the offset of each in it, in bytes. Throws Error if they are
 * in different buffers.
 */
export function spanOf(views: readonly BufferView[]): { whole: BufferView; at: number[] } {
  const { buffer } = views[0]!;
  let [begin, end] = [Infinity, 0];
  for (const one of views) {
    if (one.buffer !== buffer) {
      throw new Error(`views of different buffers where one is needed: ${buffer.label}`);
    }
    begin = Math.min(begin, one.offset);
    end = Math.max(end, one.offset + one.size);
  }
  return { whole: view(buffer, begin, end - begin), at: views.map((one) => one.offset - begin) };
}

/** Allocates device memory and accounts for every byte of it by kind. */
export class Memory {
  #device: GPUDevice;
  #nextId = 1;
  #live = new Map<number, GpuBuffer>();
  #peak = 0;
  #total = 0;
  readonly #onFree = new Set<() => void>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Bytes currently allocated. */
  get total(): number {
    return this.#total;
  }

  /** The largest `total` so far. */
  get peak(): number {
    return this.#peak;
  }

  /** Number of current allocations. */
  get count(): number {
    return this.#live.size;
  }

  /**
   * A storage buffer of `bytes` (rounded up to 4), zeroed by WebGPU. Throws UserError if it exceeds the device's
   * limits.
   */
  allocate(label: string, kind: MemoryKind, bytes: number, usage = GPUBufferUsage.STORAGE): GpuBuffer {
    const size = Math.max(4, Math.ceil(bytes / 4) * 4);
    const limit = this.#device.limits.maxBufferSize;
    if (size > limit) {
      throw new UserError(
        `GPU memory: ${label} needs one buffer of ${mib(size)} MiB, this device allows ${mib(limit)} MiB; lower the sequence length (max_seq_length) or the rank.`,
      );
    }
    const mapped = usage & (GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE);
    const always = mapped ? 0 : GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const raw = this.#device.createBuffer({ label, size, usage: usage | always });
    const buffer = new GpuBuffer(this.#nextId++, label, kind, size, raw);
    this.#live.set(buffer.id, buffer);
    this.#total += size;
    this.#peak = Math.max(this.#peak, this.#total);
    return buffer;
  }

  /**
   * Calls `forget` whenever a buffer is freed, so that bind groups can be dropped; returns a function that
   * unsubscribes.
   */
  whenFreed(forget: () => void): () => void {
    this.#onFree.add(forget);
    return () => this.#onFree.delete(forget);
  }

  /** Destroys a buffer; freeing it twice has no effect. */
  free(buffer: GpuBuffer): void {
    if (!this.#live.delete(buffer.id)) {
      return;
    }
    this.#total -= buffer.size;
    for (const forget of this.#onFree) {
      forget();
    }
    buffer.raw.destroy();
  }

  /** Bytes currently allocated, by kind. */
  byKind(): Map<MemoryKind, number> {
    const sums = new Map<MemoryKind, number>();
    for (const b of this.#live.values()) {
      sums.set(b.kind, (sums.get(b.kind) ?? 0) + b.size);
    }
    return sums;
  }
}

/** Bytes as whole MiB, for messages. */
export function mib(bytes: number): string {
  return Math.round(bytes / 2 ** 20).toLocaleString('en-US');
}
