import type { Gpu } from './device.ts';
import type { Constants, Kernel, ParamSpec, ParamValues, PartValues } from './kernel.ts';
import { type BufferView, type GpuBuffer, sameView } from './memory.ts';
import { Pacer } from './pacer.ts';
import type { Profiler } from './profiler.ts';

/** Parameter blocks per submit; a stream that has used all of them submits. */
const SLOTS = 1024;
const SLOT_BYTES = 256;
/** Device memory of a stream itself. */
export const streamAllocations = {
  parameters: { kind: 'uniforms and readback', bytes: SLOTS * SLOT_BYTES },
} as const;

export interface Dispatch<P extends ParamSpec> {
  readonly buffers: readonly BufferView[];
  readonly params: ParamValues<P>;
  /** Of a kernel that has parts; those that are absent are all zeros. */
  readonly parts?: readonly PartValues[];
  /** Workgroups along x, y, z; each at most 65,535. If any is 0, the dispatch is skipped. */
  readonly groups: readonly [number, number?, number?];
  readonly constants?: Constants;
  /** Floating-point operations, if significant: for pacing and the benchmark. */
  readonly work?: number;
  /** Minimum bytes read and written, if less than the size of all views: for listeners only, so sums are deferred. */
  readonly bytes?: number | (() => number);
}

/** Counts since the stream was created. */
interface StreamCounts {
  dispatches: number;
  submits: number;
}

/** Observes every kernel call of a stream. */
export type Listener = (kernel: Kernel, call: Dispatch<ParamSpec>) => void;

/** A bind group, its bindings, and what was bound after it last time: most likely what is bound next. */
interface Bound {
  readonly kernel: object;
  readonly views: readonly BufferView[];
  readonly group: GPUBindGroup;
  next: Bound | undefined;
}

/** A kernel call with its parameters in their slot. */
interface Call {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly slot: number;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

function binds({ kernel, views }: Bound, other: object, others: readonly BufferView[]): boolean {
  if (kernel !== other) {
    return false;
  }
  for (let i = 0; i < views.length; i++) {
    if (!sameView(views[i]!, others[i]!)) {
      return false;
    }
  }
  return true;
}

/** The dynamic offset of each slot's parameters, as `setBindGroup` takes it. */
const OFFSETS: readonly (readonly [number])[] = Array.from({ length: SLOTS }, (_, slot) => [
  slot * SLOT_BYTES,
]);

function hashOf(views: readonly BufferView[]): number {
  let hash = 0;
  for (const { buffer, offset, size } of views) {
    hash = Math.imul(Math.imul(Math.imul(hash, 31) + buffer.id, 31) + offset, 31) + size;
  }
  return hash;
}

/**
 * An ordered list of kernel calls on one device. The parameters of a submit are uploaded in one write; bind groups
 * are created once per set of buffers and cached.
 */
export class Stream {
  readonly gpu: Gpu;
  readonly counts: StreamCounts = { dispatches: 0, submits: 0 };
  readonly pacer: Pacer;
  /** Called for every dispatch. */
  listener: Listener | undefined;
  /** Times every dispatch separately, at some cost in speed. */
  profiler: Profiler | undefined;
  /** Makes the next `throttle` reject with its reason. */
  signal: AbortSignal | undefined;
  readonly #uniforms: GpuBuffer;
  readonly #block = new ArrayBuffer(SLOTS * SLOT_BYTES);
  readonly #blockView = new DataView(this.#block);
  /** By kernel, then by hash of the views. */
  readonly #groups = new Map<object, Map<number, Bound[]>>();
  #bound: Bound | undefined;
  readonly #unsubscribe: () => void;
  #slot = 0;
  #encoder: GPUCommandEncoder | undefined;
  /** Not yet encoded. */
  readonly #calls: Call[] = [];
  #work = 0;

  constructor(gpu: Gpu) {
    this.gpu = gpu;
    this.pacer = new Pacer({
      done: () => gpu.device.queue.onSubmittedWorkDone(),
      now: () => performance.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    });
    const { parameters } = streamAllocations;
    this.#uniforms = gpu.memory.allocate(
      'parameters',
      parameters.kind,
      parameters.bytes,
      GPUBufferUsage.UNIFORM,
    );
    this.#unsubscribe = gpu.memory.whenFreed(() => {
      this.#groups.clear();
      this.#bound = undefined;
    });
  }

  /** Appends a kernel call. Throws Error on too many workgroups or a wrong number of buffers. */
  dispatch<P extends ParamSpec>(kernel: Kernel<P>, call: Dispatch<P>): void {
    const [x, y = 1, z = 1] = call.groups;
    if (x === 0 || y === 0 || z === 0) {
      return;
    }
    if (x > 65535 || y > 65535 || z > 65535) {
      throw new Error(`${kernel.spec.name}: ${x}×${y}×${z} workgroups`);
    }
    const work = call.work ?? 0;
    const full = this.#work > 0 && this.#work + work > this.pacer.budget;
    if (full || this.#slot === SLOTS) {
      this.submit();
    }
    this.listener?.(kernel as unknown as Kernel, call);
    const slot = this.#slot++;
    kernel.pack(this.#blockView, slot * SLOT_BYTES, call.params, call.parts);
    const pipeline = kernel.pipeline(this.gpu, call.constants);
    this.#calls.push({ pipeline, group: this.#bindGroup(kernel, call.buffers), slot, x, y, z });
    if (this.profiler) {
      this.#encode(this.profiler.pass(slot, kernel.spec.name, work));
    }
    this.#work += work;
    this.counts.dispatches++;
  }

  /** Appends a copy between buffers; sizes and offsets in bytes, multiples of 4. */
  copy(from: BufferView, to: BufferView): void {
    this.#encode().copyBufferToBuffer(from.buffer.raw, from.offset, to.buffer.raw, to.offset, from.size);
  }

  /** Appends clearing a range to zero. */
  clear(range: BufferView): void {
    this.#encode().clearBuffer(range.buffer.raw, range.offset, range.size);
  }

  /** Submits everything appended so far. */
  submit(): void {
    if (!this.#encoder && this.#calls.length === 0) {
      return;
    }
    const encoder = this.#encode();
    if (this.#slot > 0) {
      this.gpu.device.queue.writeBuffer(this.#uniforms.raw, 0, this.#block, 0, this.#slot * SLOT_BYTES);
    }
    this.profiler?.resolve(encoder);
    this.gpu.device.queue.submit([encoder.finish()]);
    this.profiler?.submitted();
    this.pacer.submitted(this.#work);
    this.#encoder = undefined;
    this.#slot = 0;
    this.#work = 0;
    this.counts.submits++;
  }

  /**
   * A point to wait at while too much is in flight and, with `yieldGpu`, to leave the device to other programs.
   * Submits once enough work has gathered; where submits are cut never changes results. Rejects with the signal's
   * reason.
   */
  async throttle(): Promise<void> {
    this.signal?.throwIfAborted();
    if (this.#work >= this.pacer.budget) {
      this.submit();
    }
    await this.pacer.throttle();
  }

  /** Submits, and resolves when the device has finished everything. */
  async finish(): Promise<void> {
    this.submit();
    await this.pacer.drain();
    // Also rejects if the device is lost.
    await this.gpu.device.queue.onSubmittedWorkDone();
  }

  /** Frees what the stream itself holds. */
  close(): void {
    this.#unsubscribe();
    this.gpu.memory.free(this.#uniforms);
  }

  /**
   * Encodes the calls so far as one pass: in one loop, which takes the CPU less than encoding each between what decides
   * on it and on the next.
   */
  #encode(pass?: GPUComputePassDescriptor): GPUCommandEncoder {
    const encoder = (this.#encoder ??= this.gpu.device.createCommandEncoder());
    if (this.#calls.length > 0) {
      const encoded = encoder.beginComputePass(pass);
      let current: GPUComputePipeline | undefined;
      for (const { pipeline, group, slot, x, y, z } of this.#calls) {
        if (pipeline !== current) {
          encoded.setPipeline(pipeline);
          current = pipeline;
        }
        encoded.setBindGroup(0, group, OFFSETS[slot]!);
        encoded.dispatchWorkgroups(x, y, z);
      }
      encoded.end();
      this.#calls.length = 0;
    }
    return encoder;
  }

  /** The bind group, made on first use. */
  #bindGroup<P extends ParamSpec>(kernel: Kernel<P>, buffers: readonly BufferView[]): GPUBindGroup {
    if (buffers.length !== kernel.spec.buffers.length) {
      throw new Error(
        `${kernel.spec.name}: ${buffers.length} buffers, expected ${kernel.spec.buffers.length}`,
      );
    }
    const last = this.#bound;
    let bound = last?.next;
    if (!bound || !binds(bound, kernel, buffers)) {
      bound = this.#find(kernel, buffers);
      if (last) {
        last.next = bound;
      }
    }
    this.#bound = bound;
    return bound.group;
  }

  #find<P extends ParamSpec>(kernel: Kernel<P>, buffers: readonly BufferView[]): Bound {
    let ofKernel = this.#groups.get(kernel);
    if (!ofKernel) {
      this.#groups.set(kernel, (ofKernel = new Map()));
    }
    const hash = hashOf(buffers);
    let alike = ofKernel.get(hash);
    if (!alike) {
      ofKernel.set(hash, (alike = []));
    }
    const found = alike.find((one) => binds(one, kernel, buffers));
    if (found) {
      return found;
    }
    const group = this.gpu.device.createBindGroup({
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
    const made: Bound = { kernel, views: [...buffers], group, next: undefined };
    alike.push(made);
    return made;
  }
}
