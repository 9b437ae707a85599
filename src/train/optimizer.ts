import type { LoraModule } from '../formats/lora-modules.ts';
import { tensorName } from '../formats/adapter.ts';
import type { TensorData } from '../formats/safetensors-write.ts';
import type { Gpu } from '../gpu/device.ts';
import {
  adamw32,
  adamw8bit,
  adamwFactors,
  adamwMaps,
  initialMCode,
  type AdamwSettings,
} from '../gpu/kernels/adamw8bit.ts';
import { gradNormFinish, gradNormPartial, gradNormPartials } from '../gpu/kernels/grad-norm.ts';
import { view, type GpuBuffer, type View } from '../gpu/memory.ts';
import { readOnce } from '../gpu/readback.ts';
import type { Stream } from '../gpu/stream.ts';
import { allocate, type Allocations } from '../model/allocations.ts';
import type { Lora, LoraLayout, Slot } from '../model/lora.ts';

const BLOCK = 256;

/** State of one layer's tensors: codes and scales for the 8-bit ones, f32 moments for the small ones. */
export function optimizerAllocations({ values8bit, values }: LoraLayout) {
  const state = (bytes: number) => ({ kind: 'optimizer state', bytes }) as const;
  return {
    mCodes: state(values8bit),
    vCodes: state(values8bit),
    mAbsmax: state((4 * values8bit) / BLOCK),
    vAbsmax: state((4 * values8bit) / BLOCK),
    m: state(4 * (values - values8bit)),
    v: state(4 * (values - values8bit)),
  } as const satisfies Allocations;
}

/** What all layers share. `layouts`: those of every layer. */
export function optimizerSharedAllocations(layouts: readonly LoraLayout[]) {
  const partials = layouts.reduce((sum, { values }) => sum + gradNormPartials(values), 0);
  return {
    maps: { kind: 'optimizer state', bytes: 4 * 512 },
    control: { kind: 'optimizer state', bytes: 16 },
    partials: { kind: 'optimizer state', bytes: 4 * partials },
  } as const satisfies Allocations;
}

export interface OptimizerSettings extends Omit<AdamwSettings, 'learningRate'> {
  /** Global norm to which gradients are clipped; 0 for no clipping. */
  maxGradNorm: number;
}

type LayerState = Record<keyof ReturnType<typeof optimizerAllocations>, GpuBuffer>;

/** bitsandbytes' 8-bit AdamW over all LoRA tensors, with clipping to the global norm, on the device. */
export class Optimizer {
  readonly #gpu: Gpu;
  readonly #lora: Lora;
  readonly #settings: OptimizerSettings;
  readonly #layers: LayerState[];
  readonly #shared: Record<keyof ReturnType<typeof optimizerSharedAllocations>, GpuBuffer>;

  constructor(gpu: Gpu, lora: Lora, settings: OptimizerSettings) {
    this.#gpu = gpu;
    this.#lora = lora;
    this.#settings = settings;
    const layouts = lora.layers.map((layer) => layer.layout);
    this.#layers = layouts.map((layout) => allocate(gpu.memory, optimizerAllocations(layout)));
    this.#shared = allocate(gpu.memory, optimizerSharedAllocations(layouts));
    gpu.device.queue.writeBuffer(this.#shared.maps.raw, 0, adamwMaps());
    for (const { mCodes } of this.#layers)
      gpu.device.queue.writeBuffer(mCodes.raw, 0, new Uint8Array(mCodes.size).fill(initialMCode));
  }

  /** f32 [4] after a step: gradient norm before clipping, clip factor, 1 if everything was finite, 0. */
  get control(): View {
    return view(this.#shared.control);
  }

  /**
   * Step `t` (from 1): the gradients' norm, clipping, update of masters and state, gradients back to zero. Where a
   * gradient is not finite nothing changes, and `control` says so.
   */
  step(stream: Stream, t: number, learningRate: number): void {
    const { partials, control, maps } = this.#shared;
    const { maxGradNorm, ...settings } = this.#settings;
    let partialCount = 0;
    for (const { layout, grads } of this.#lora.layers) {
      if (layout.values === 0) continue;
      const call = {
        grads: view(grads),
        partials: view(partials),
        partialBegin: partialCount,
        count: layout.values,
      };
      gradNormPartial(stream, call);
      partialCount += gradNormPartials(layout.values);
    }
    gradNormFinish(stream, {
      partials: view(partials),
      partialCount,
      control: view(control),
      maxNorm: maxGradNorm,
    });
    const factors = adamwFactors(t, { ...settings, learningRate });
    const common = { control: view(control), factors };
    this.#lora.layers.forEach(({ layout, weights, grads }, i) => {
      const state = this.#layers[i]!;
      const { values8bit, values } = layout;
      if (values8bit > 0)
        adamw8bit(stream, {
          ...common,
          weights: view(weights, 0, 4 * values8bit),
          grads: view(grads, 0, 4 * values8bit),
          mCodes: view(state.mCodes),
          vCodes: view(state.vCodes),
          mAbsmax: view(state.mAbsmax),
          vAbsmax: view(state.vAbsmax),
          maps: view(maps),
          blocks: values8bit / BLOCK,
        });
      if (values > values8bit)
        adamw32(stream, {
          ...common,
          weights: view(weights, 4 * values8bit),
          grads: view(grads, 4 * values8bit),
          m: view(state.m),
          v: view(state.v),
          count: values - values8bit,
        });
    });
  }

  /** The state of every tensor under PEFT's names: .m_code, .v_code, .m_absmax, .v_absmax, or .m, .v. */
  async read(stream: Stream): Promise<TensorData[]> {
    const tensors: TensorData[] = [];
    for (const [i, { layout }] of this.#lora.layers.entries()) {
      const state = this.#layers[i]!;
      const bytes = new Map<number, Uint8Array>();
      for (const buffer of Object.values(state)) bytes.set(buffer.id, await readOnce(stream, view(buffer)));
      for (const slot of layout.slots)
        for (const { suffix, dtype, count, range } of parts(slot, layout, state)) {
          const data = bytes.get(range.buffer.id)!.subarray(range.offset, range.offset + range.size);
          tensors.push({ name: stateName(slot, suffix), dtype, shape: [count], data });
        }
    }
    return tensors;
  }

  /** Names and sizes of the tensors that `write` expects, in the order of `read`. */
  expected(): { name: string; dtype: 'U8' | 'F32'; count: number }[] {
    return this.#lora.layers.flatMap(({ layout }, i) =>
      layout.slots.flatMap((slot) =>
        parts(slot, layout, this.#layers[i]!).map(({ suffix, dtype, count }) => ({
          name: stateName(slot, suffix),
          dtype,
          count,
        })),
      ),
    );
  }

  /** Puts a saved state back; `tensor` gives the bytes of each name of `expected`. */
  write(tensor: (name: string) => Uint8Array): void {
    this.#lora.layers.forEach(({ layout }, i) => {
      for (const slot of layout.slots)
        for (const { suffix, range } of parts(slot, layout, this.#layers[i]!)) {
          const bytes = new Uint8Array(Math.ceil(range.size / 4) * 4);
          // What lies behind a tensor's end belongs to its padding, which starts as the code of zero.
          if (suffix === 'm_code') bytes.fill(initialMCode);
          bytes.set(tensor(stateName(slot, suffix)));
          this.#gpu.device.queue.writeBuffer(range.buffer.raw, range.offset, bytes);
        }
    });
  }

  close(): void {
    for (const set of [...this.#layers, this.#shared])
      for (const buffer of Object.values(set)) this.#gpu.memory.free(buffer);
  }
}

const stateName = (slot: { module: LoraModule; which: 'A' | 'B' }, suffix: string) =>
  `${tensorName(slot.module, slot.which)}.${suffix}`;

/** Where a tensor's state lies. */
function parts({ begin, count }: Slot, { values8bit }: LoraLayout, state: LayerState) {
  const part = (suffix: string, dtype: 'U8' | 'F32', n: number, buffer: GpuBuffer, at: number) => {
    const size = dtype === 'U8' ? n : 4 * n;
    return { suffix, dtype, count: n, range: { buffer, offset: at, size } };
  };
  if (begin < values8bit) {
    const blocks = Math.ceil(count / BLOCK);
    return [
      part('m_code', 'U8', count, state.mCodes, begin),
      part('v_code', 'U8', count, state.vCodes, begin),
      part('m_absmax', 'F32', blocks, state.mAbsmax, (4 * begin) / BLOCK),
      part('v_absmax', 'F32', blocks, state.vAbsmax, (4 * begin) / BLOCK),
    ];
  }
  const at = 4 * (begin - values8bit);
  return [part('m', 'F32', count, state.m, at), part('v', 'F32', count, state.v, at)];
}
