import type { Gpu } from '../../../gpu/device.ts';
import { type BufferView, type GpuBuffer, view } from '../../../gpu/memory.ts';

/** Alignment of bindings: a copy of a buffer of the host at the same offsets can be bound. */
const ALIGNMENT = 256;

/** Bytes that pieces of these sizes take in a `HostStaging`. */
export const stagedBytes = (sizes: readonly number[]): number =>
  sizes.reduce((sum, size) => sum + aligned(size, ALIGNMENT), 0);

const aligned = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/**
 * Memory of the host that the device copies from, mapped and filled in turn. `queue.writeBuffer` allocates as much anew
 * for each write, and the system clears it.
 */
export class HostStaging {
  readonly #gpu: Gpu;
  readonly #turns: { buffer: GpuBuffer; mapped: Promise<unknown> }[];
  #turn = 0;

  /** `count` buffers of `bytes` each. */
  constructor(gpu: Gpu, bytes: number, count: number) {
    this.#gpu = gpu;
    this.#turns = Array.from({ length: count }, () => {
      const buffer = gpu.memory.allocate(
        'staging',
        'uniforms and readback',
        bytes,
        GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC,
      );
      return { buffer, mapped: map(buffer) };
    });
  }

  /** Puts pieces into the next buffer, each padded with zeros to a multiple of 4; resolves to where they lie. */
  async place(pieces: readonly Uint8Array[]): Promise<BufferView[]> {
    const { buffer, mapped } = this.#turns[this.#turn]!;
    await mapped;
    const into = new Uint8Array(buffer.raw.getMappedRange());
    let at = 0;
    const placed = pieces.map((piece) => {
      const size = aligned(piece.length, 4);
      into.set(piece, at);
      into.fill(0, at + piece.length, at + size);
      const there = view(buffer, at, size);
      at += aligned(size, ALIGNMENT);
      return there;
    });
    buffer.raw.unmap();
    return placed;
  }

  /** Call when all copies from the buffer have been submitted; resolves when the device has made them. */
  submitted(): Promise<unknown> {
    const turn = this.#turns[this.#turn]!;
    turn.mapped = map(turn.buffer);
    this.#turn = (this.#turn + 1) % this.#turns.length;
    return turn.mapped;
  }

  close(): void {
    for (const { buffer } of this.#turns) {
      this.#gpu.memory.free(buffer);
    }
  }
}

function map({ raw }: GpuBuffer): Promise<unknown> {
  const mapped = raw.mapAsync(GPUMapMode.WRITE);
  // Its failure is reported to whoever awaits it.
  mapped.catch(() => undefined);
  return mapped;
}
