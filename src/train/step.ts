import type { KernelPlan } from '../gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../gpu/device.ts';
import { dropoutKey } from '../gpu/kernels/lora/dropout-mask.ts';
import { type GpuBuffer, view } from '../gpu/memory.ts';
import { Readback } from '../gpu/readback.ts';
import type { Stream } from '../gpu/stream.ts';
import type { Activations } from '../model/activations.ts';
import { allocate, type Allocations } from '../model/allocations.ts';
import { backward } from '../model/backward.ts';
import { uploadPass } from '../model/batch.ts';
import { forward, type PassContext } from '../model/decoder.ts';
import type { Lora } from '../model/lora.ts';
import { headLoss } from '../model/loss.ts';
import type { DecoderWeights } from '../model/weights.ts';
import type { Pass } from '../text/packing.ts';
import type { Optimizer } from './optimizer.ts';

/** Buffers for the token losses of one step, or of one evaluation pass, and for reading them back. */
export function lossAllocations(targets: number) {
  return {
    losses: { kind: 'batch', bytes: 4 * targets },
    results: { kind: 'uniforms and readback', bytes: 4 * targets + 16 },
  } as const satisfies Allocations;
}

/** The result of one optimizer step. */
interface StepResult {
  /** Mean over the step's trained tokens. */
  loss: number;
  /** Global L2 norm before clipping. */
  gradNorm: number;
  tokens: number;
}

interface StepCall {
  /** Step number, from 1. */
  t: number;
  learningRate: number;
  seed: number;
  epoch: number;
  signal?: AbortSignal | undefined;
  /** Awaited after every pass. */
  onPassEnd?: (() => Promise<void>) | undefined;
}

const targetsOf = (passes: readonly Pass[]): number =>
  passes.reduce((sum, pass) => sum + pass.targets.index.length, 0);

/** Everything that a training or evaluation pass runs on. */
interface Engine {
  gpu: Gpu;
  stream: Stream;
  base: DecoderWeights;
  lora: Lora;
  acts: Activations;
  /** The execution plan's kernel variants; the defaults if undefined. */
  products?: KernelPlan | undefined;
}

/** Runs packed passes and returns the loss of every target. */
export class PassRunner {
  readonly engine: Engine;
  readonly #losses: GpuBuffer;
  readonly #readback: Readback;

  /** `targets`: the maximum number of trained tokens between two readbacks. */
  constructor(engine: Engine, targets: number) {
    this.engine = engine;
    const { losses, results } = lossAllocations(targets);
    this.#losses = allocate(engine.gpu.memory, { losses }).losses;
    this.#readback = new Readback(engine.gpu, 'results', results.bytes);
  }

  /**
   * One optimizer step over its passes. Throws NotFiniteError. If stopped, rejects with the signal's reason and
   * leaves weights and optimizer unchanged.
   */
  async train(passes: readonly Pass[], optimizer: Optimizer, call: StepCall): Promise<StepResult> {
    const { stream } = this.engine;
    const targets = targetsOf(passes);
    await this.#until(call.signal, () => this.#accumulate(passes, call));
    await optimizer.step(stream, call.t, call.learningRate);
    const bytes = await this.#readback.read(stream, optimizer.control, view(this.#losses, 0, 4 * targets));
    const [gradNorm, , finite] = new Float32Array(bytes.buffer, 0, 4) as unknown as [number, number, number];
    const losses = new Float32Array(bytes.buffer, 16, targets);
    const tokens = passes.reduce((sum, pass) => sum + pass.ids.length, 0);
    const loss = losses.reduce((sum, l) => sum + l, 0) / targets;
    const rows = passes.flatMap((pass) => [...pass.targets.rowOf]);
    const bad = losses.findIndex((l) => !Number.isFinite(l));
    if (bad >= 0) {
      throw new NotFiniteError('loss', call.t, [rows[bad]!], finite !== 1);
    }
    if (finite !== 1) {
      throw new NotFiniteError('gradient', call.t, [...new Set(rows)], true);
    }
    return { loss, gradNorm, tokens };
  }

  /**
   * Token losses of a pass, in the order of its targets; no gradients, no dropout. If stopped, rejects with the
   * signal's reason.
   */
  async evaluate(pass: Pass, signal?: AbortSignal): Promise<Float32Array> {
    const { stream, acts } = this.engine;
    const targets = pass.targets.index.length;
    uploadPass(stream, acts, pass);
    const ctx = this.#context(pass, 0);
    await this.#until(signal, async () => {
      await forward(ctx);
      await headLoss(ctx, { targets, losses: view(this.#losses), lossBegin: 0 });
    });
    return new Float32Array((await this.#readback.read(stream, view(this.#losses, 0, 4 * targets))).buffer);
  }

  close(): void {
    this.engine.gpu.memory.free(this.#losses);
    this.#readback.close();
  }

  /** Accumulates the gradients of a step's passes; if stopped, discards them. */
  async #accumulate(passes: readonly Pass[], { seed, epoch, signal, onPassEnd }: StepCall): Promise<void> {
    const { stream, lora, acts } = this.engine;
    const gradScale = 1 / targetsOf(passes);
    const losses = view(this.#losses);
    let lossBegin = 0;
    try {
      for (const pass of passes) {
        const ctx = this.#context(pass, lora.dropout);
        uploadPass(stream, acts, pass, lora.dropout > 0 ? dropoutKeys(pass, seed, epoch) : undefined);
        await forward(ctx);
        const targets = pass.targets.index.length;
        await headLoss(ctx, { targets, losses, lossBegin, gradScale });
        await backward(ctx);
        lossBegin += targets;
        await onPassEnd?.();
        signal?.throwIfAborted();
      }
    } catch (error) {
      if (signal?.aborted) {
        this.#dropGradients();
      }
      throw error;
    }
  }

  /** Runs work that the signal may interrupt at the stream's next `throttle`. */
  async #until(signal: AbortSignal | undefined, work: () => Promise<void>): Promise<void> {
    const { stream } = this.engine;
    stream.signal = signal;
    try {
      await work();
    } finally {
      stream.signal = undefined;
    }
  }

  #context(pass: Pass, dropout: number): PassContext {
    const { stream, base, lora, acts, products } = this.engine;
    return { stream, base, lora, acts, products, rows: pass.ids.length, dropout };
  }

  #dropGradients(): void {
    for (const { grads } of this.engine.lora.layers) {
      this.engine.stream.clear(view(grads));
    }
    this.engine.stream.submit();
  }
}

/** A loss or gradient that is not finite; the run turns it into a UserError. */
export class NotFiniteError extends Error {
  readonly what: 'loss' | 'gradient';
  readonly step: number;
  /** Dataset indices of the rows that may have caused it. */
  readonly rows: readonly number[];
  /** Whether master weights and optimizer are still those of the previous step. */
  readonly intact: boolean;

  constructor(what: 'loss' | 'gradient', step: number, rows: readonly number[], intact: boolean) {
    super(`${what} not finite at step ${step}`);
    this.what = what;
    this.step = step;
    this.rows = rows;
    this.intact = intact;
  }
}

function dropoutKeys(pass: Pass, seed: number, epoch: number): Map<number, number> {
  return new Map([...new Set(pass.rowOf)].map((row) => [row, dropoutKey(seed, epoch, row)]));
}
