import type { Gpu } from './device.ts';
import type { Constants, Kernel, ParamSpec, ParamValues } from './kernel.ts';
import type { GpuBuffer, View } from './memory.ts';

/** Parameter blocks of one submit; a stream that fills them submits by itself. */
const SLOTS = 1024;
const SLOT_BYTES = 256;
/** Submits that may wait on the device at once: enough to hide the encoding, few enough to stop quickly. */
const IN_FLIGHT = 2;
/** Seconds of device work to aim at per submit, so that the desktop stays usable and no watchdog fires. */
const TARGET_SECONDS = 0.05;

/** What a stream itself holds on the device. */
export const streamAllocations = {
  parameters: { kind: 'uniforms and readback', bytes: SLOTS * SLOT_BYTES },
} as const;

export interface Dispatch<P extends ParamSpec> {
  readonly buffers: readonly View[];
  readonly params: ParamValues<P>;
  /** Workgroups along x, y, z; each at most 65,535. A dispatch with a zero is left out. */
  readonly groups: readonly [number, number?, number?];
  readonly constants?: Constants;
  /** Floating-point operations, where they matter for pacing. */
  readonly work?: number;
}

/** Counts since the stream was made. */
export interface StreamCounts {
  dispatches: number;
  submits: number;
}

/**
 * An ordered list of kernel calls on one device. Parameters of a whole submit travel in one write; bind groups
 * are made once per set of buffers and kept.
 */
export class Stream {
  readonly gpu: Gpu;
  readonly counts: StreamCounts = { dispatches: 0, submits: 0 };
  readonly #uniforms: GpuBuffer;
  readonly #block = new ArrayBuffer(SLOTS * SLOT_BYTES);
  readonly #blockView = new DataView(this.#block);
  readonly #groups = new Map<string, GPUBindGroup>();
  readonly #unsubscribe: () => void;
  #slot = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #work = 0;
  #budget = 2e8;
  #inFlight: Promise<void>[] = [];

  constructor(gpu: Gpu) {
    this.gpu = gpu;
    const { parameters } = streamAllocations;
    this.#uniforms = gpu.memory.allocate(
      'parameters',
      parameters.kind,
      parameters.bytes,
      GPUBufferUsage.UNIFORM,
    );
    this.#unsubscribe = gpu.memory.whenFreed(() => this.#groups.clear());
  }

  /** Appends one kernel call. */
  dispatch<P extends ParamSpec>(kernel: Kernel<P>, call: Dispatch<P>): void {
    const [x, y = 1, z = 1] = call.groups;
    if (x === 0 || y === 0 || z === 0) return;
    if (x > 65535 || y > 65535 || z > 65535)
      throw new Error(`${kernel.spec.name}: ${x}×${y}×${z} workgroups`);
    if (this.#slot === SLOTS) this.submit();
    const offset = this.#slot++ * SLOT_BYTES;
    kernel.pack(this.#blockView, offset, call.params);
    this.#encoder ??= this.gpu.device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    this.#pass.setPipeline(kernel.pipeline(this.gpu, call.constants));
    this.#pass.setBindGroup(0, this.#bindGroup(kernel, call.buffers), [offset]);
    this.#pass.dispatchWorkgroups(x, y, z);
    this.#work += call.work ?? 0;
    this.counts.dispatches++;
  }

  /** Appends a copy between buffers; sizes and offsets in bytes, multiples of 4. */
  copy(from: View, to: View): void {
    this.#endPass().copyBufferToBuffer(from.buffer.raw, from.offset, to.buffer.raw, to.offset, from.size);
  }

  /** Appends zeroing of a range. */
  clear(range: View): void {
    this.#endPass().clearBuffer(range.buffer.raw, range.offset, range.size);
  }

  /** Hands everything appended so far to the device. */
  submit(): void {
    if (!this.#encoder) return;
    const encoder = this.#endPass();
    if (this.#slot > 0)
      this.gpu.device.queue.writeBuffer(this.#uniforms.raw, 0, this.#block, 0, this.#slot * SLOT_BYTES);
    this.gpu.device.queue.submit([encoder.finish()]);
    this.#encoder = undefined;
    this.#slot = 0;
    this.counts.submits++;
  }

  /**
   * A place where the work may be cut: submits once enough of it has gathered, and waits while too much is in
   * flight. Cuts never change results.
   */
  async breathe(): Promise<void> {
    if (this.#work < this.#budget) return;
    const work = this.#work;
    this.#work = 0;
    this.submit();
    const before = this.#inFlight.at(-1) ?? Promise.resolve();
    let start = performance.now();
    void before.then(() => (start = performance.now()));
    this.#inFlight.push(
      this.gpu.device.queue.onSubmittedWorkDone().then(
        () => {
          const seconds = Math.max(1e-4, (performance.now() - start) / 1000);
          const rate = work / seconds;
          this.#budget = 0.5 * this.#budget + 0.5 * rate * TARGET_SECONDS;
        },
        // A lost device refuses; the next readback says so where somebody waits for it.
        () => undefined,
      ),
    );
    while (this.#inFlight.length >= IN_FLIGHT) await this.#inFlight.shift();
  }

  /** Submits and resolves when the device has finished everything. */
  async finish(): Promise<void> {
    this.submit();
    this.#inFlight = [];
    await this.gpu.device.queue.onSubmittedWorkDone();
  }

  /** Frees what the stream itself holds. */
  close(): void {
    this.#unsubscribe();
    this.gpu.memory.free(this.#uniforms);
  }

  #endPass(): GPUCommandEncoder {
    this.#pass?.end();
    this.#pass = undefined;
    return (this.#encoder ??= this.gpu.device.createCommandEncoder());
  }

  #bindGroup<P extends ParamSpec>(kernel: Kernel<P>, buffers: readonly View[]): GPUBindGroup {
    if (buffers.length !== kernel.spec.buffers.length)
      throw new Error(
        `${kernel.spec.name}: ${buffers.length} buffers, expected ${kernel.spec.buffers.length}`,
      );
    let key = kernel.spec.name;
    for (const v of buffers) key += `|${v.buffer.id},${v.offset},${v.size}`;
    let group = this.#groups.get(key);
    if (!group) {
      group = this.gpu.device.createBindGroup({
        label: kernel.spec.name,
        layout: kernel.bindGroupLayout(this.gpu),
        entries: [
          { binding: 0, resource: { buffer: this.#uniforms.raw, offset: 0, size: SLOT_BYTES } },
          ...buffers.map((v, i) => ({
            binding: i + 1,
            resource: { buffer: v.buffer.raw, offset: v.offset, size: v.size },
          })),
        ],
      });
      this.#groups.set(key, group);
    }
    return group;
  }
}
