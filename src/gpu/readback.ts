import type { Gpu } from './device.ts';
import type { BufferView, GpuBuffer } from './memory.ts';
import type { Stream } from './stream.ts';

/** A staging buffer for reading results back; reusable, for one result at a time. */
export class Readback {
  readonly #gpu: Gpu;
  readonly #staging: GpuBuffer;

  /** `bytes`: the maximum size of one read. */
  constructor(gpu: Gpu, label: string, bytes: number) {
    this.#gpu = gpu;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    this.#staging = gpu.memory.allocate(label, 'uniforms and readback', bytes, usage);
  }

  /** Copies the views one after another, submits, and resolves to their bytes once the device is done. */
  async read(stream: Stream, ...views: BufferView[]): Promise<Uint8Array<ArrayBuffer>> {
    let at = 0;
    for (const v of views) {
      stream.copy(v, { buffer: this.#staging, offset: at, size: v.size });
      at += v.size;
    }
    stream.submit();
    await this.#staging.raw.mapAsync(GPUMapMode.READ, 0, at);
    const bytes = new Uint8Array(this.#staging.raw.getMappedRange(0, at)).slice();
    this.#staging.raw.unmap();
    return bytes;
  }

  close(): void {
    this.#gpu.memory.free(this.#staging);
  }
}

/** Reads ranges through a temporary staging buffer: for tests, checkpoints and other rare reads. */
export async function readOnce(stream: Stream, ...views: BufferView[]): Promise<Uint8Array<ArrayBuffer>> {
  const readback = new Readback(
    stream.gpu,
    'one readback',
    views.reduce((sum, v) => sum + v.size, 0),
  );
  try {
    return await readback.read(stream, ...views);
  } finally {
    readback.close();
  }
}
