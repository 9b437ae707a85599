import type { Gpu } from '../../src/gpu/device.ts';
import { type BufferView, type GpuBuffer, view } from '../../src/gpu/memory.ts';
import { readOnce } from '../../src/gpu/readback.ts';
import { Stream } from '../../src/gpu/stream.ts';
import { sharedDevice } from './shared-device.ts';

let shared: Promise<TestGpu> | undefined;

/** The shared device, for kernel tests. */
export function testGpu(): Promise<TestGpu> {
  return (shared ??= sharedDevice().then((gpu) => new TestGpu(gpu)));
}

/** Frees what the tests of a file uploaded to the shared device. */
export async function releaseTestGpu(): Promise<void> {
  (await shared)?.release();
}

/** Uploads, runs and reads back for kernel tests. */
export class TestGpu {
  readonly gpu: Gpu;
  readonly stream: Stream;
  readonly #uploads: GpuBuffer[] = [];

  constructor(gpu: Gpu) {
    this.gpu = gpu;
    this.stream = new Stream(gpu);
  }

  /** A buffer with these contents. */
  upload(data: Float32Array | Uint32Array | Uint16Array | Uint8Array): BufferView {
    const bytes = Math.ceil(data.byteLength / 4) * 4;
    const buffer = this.gpu.memory.allocate('test', 'working activations', bytes);
    this.#uploads.push(buffer);
    const padded = new Uint8Array(bytes);
    padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.gpu.device.queue.writeBuffer(buffer.raw, 0, padded);
    return view(buffer);
  }

  /** `n` f32 of NaN, so that an output which a kernel fails to write shows. */
  output(n: number): BufferView {
    return this.upload(new Float32Array(n).fill(NaN));
  }

  /** The f32 in a view. */
  async floats(v: BufferView): Promise<Float32Array> {
    return new Float32Array((await this.bytes(v)).buffer);
  }

  /** The u32 in a view. */
  async words(v: BufferView): Promise<Uint32Array> {
    return new Uint32Array((await this.bytes(v)).buffer);
  }

  async bytes(v: BufferView): Promise<Uint8Array> {
    const bytes = await readOnce(this.stream, v);
    if (this.gpu.errors.length > 0) {
      throw new Error(this.gpu.errors.join('\n'));
    }
    return bytes;
  }

  /** Frees what was uploaded. */
  release(): void {
    for (const buffer of this.#uploads.splice(0)) {
      this.gpu.memory.free(buffer);
    }
  }

  close(): void {
    this.gpu.close();
  }
}

/** ‖out − ref‖ / ‖ref‖ (‖out‖ if ref is zero); NaN anywhere gives NaN, which no bound accepts. */
export function relativeError(out: ArrayLike<number>, ref: ArrayLike<number>): number {
  if (out.length !== ref.length) {
    throw new Error(`lengths differ: ${out.length} and ${ref.length}`);
  }
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < ref.length; i++) {
    difference += (out[i]! - ref[i]!) ** 2;
    norm += ref[i]! ** 2;
  }
  return Math.sqrt(difference) / (norm > 0 ? Math.sqrt(norm) : 1);
}

/** The same values in f64, as the references take them. */
export function f64(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values);
}
