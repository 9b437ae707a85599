import type { Gpu } from './device.ts';

/** Maximum dispatches per submit: a stream's parameter blocks. */
const SLOTS = 1024;
const BYTES = 2 * SLOTS * 8;

/** Total of one kernel's calls. */
interface KernelTime {
  calls: number;
  seconds: number;
  /** Floating-point operations. */
  work: number;
}

/** Device time by kernel, from timestamp queries; the device must have the feature "timestamp-query". */
export class Profiler {
  /** By kernel name. */
  readonly times = new Map<string, KernelTime>();
  readonly #gpu: Gpu;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  #calls: { name: string; work: number }[] = [];
  #staging: GPUBuffer | undefined;
  #readings: Promise<void>[] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#queries = gpu.device.createQuerySet({ type: 'timestamp', count: 2 * SLOTS });
    this.#resolved = gpu.device.createBuffer({
      size: BYTES,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
  }

  /** The compute pass descriptor of the `slot`-th dispatch of a submit. */
  pass(slot: number, name: string, work: number): GPUComputePassDescriptor {
    this.#calls[slot] = { name, work };
    return {
      timestampWrites: {
        querySet: this.#queries,
        beginningOfPassWriteIndex: 2 * slot,
        endOfPassWriteIndex: 2 * slot + 1,
      },
    };
  }

  /** Appends the commands that read this submit's timestamps back. */
  resolve(encoder: GPUCommandEncoder): void {
    if (this.#calls.length === 0) {
      return;
    }
    const count = 2 * this.#calls.length;
    this.#staging = this.#gpu.device.createBuffer({
      size: 8 * count,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    encoder.resolveQuerySet(this.#queries, 0, count, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 8 * count);
  }

  submitted(): void {
    if (!this.#staging) {
      return;
    }
    this.#readings.push(this.#read(this.#staging, this.#calls));
    this.#staging = undefined;
    this.#calls = [];
  }

  /** Resolves when the timestamps of everything submitted have arrived. */
  async finish(): Promise<void> {
    await Promise.all(this.#readings);
    this.#readings = [];
  }

  close(): void {
    this.#queries.destroy();
    this.#resolved.destroy();
  }

  async #read(staging: GPUBuffer, calls: readonly { name: string; work: number }[]): Promise<void> {
    await staging.mapAsync(GPUMapMode.READ);
    const ticks = new BigUint64Array(staging.getMappedRange());
    calls.forEach(({ name, work }, i) => {
      const time = this.times.get(name) ?? { calls: 0, seconds: 0, work: 0 };
      // Timestamps may run backwards when a device changes its power state (WebGPU specification,
      // "timestamp-query").
      const nanoseconds = Math.max(0, Number(ticks[2 * i + 1]! - ticks[2 * i]!));
      time.calls++;
      time.seconds += 1e-9 * nanoseconds;
      time.work += work;
      this.times.set(name, time);
    });
    staging.destroy();
  }
}
