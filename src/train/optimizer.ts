import { tensorName } from '../formats/adapter.ts';
import type { TensorData } from '../formats/safetensors-write.ts';
import type { Gpu } from '../gpu/device.ts';
import {
  adamw8bit,
  adamw32,
  adamwFactors,
  adamwMaps,
  type AdamwSettings,
} from '../gpu/kernels/optimizer/adamw8bit.ts';
import { gradNormFinish, gradNormPartial, gradNormPartials } from '../gpu/kernels/optimizer/grad-norm.ts';
import { type BufferView, type GpuBuffer, view } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import { allocate, type Allocations } from '../model/allocations.ts';
import type { Lora, LoraLayout } from '../model/lora.ts';
import {
  BLOCK,
  freshState,
  openState,
  type OptimizerState,
  stateLayout,
  type StateRange,
  type StateStorage,
} from './optimizer-state.ts';

/** Buffers shared by all layers. `layouts`: of every layer. */
export function optimizerSharedAllocations(layouts: readonly LoraLayout[]) {
  const partials = layouts.reduce((sum, { values }) => sum + gradNormPartials(values), 0);
  return {
    maps: { kind: 'optimizer state', bytes: 4 * 512 },
    control: { kind: 'optimizer state', bytes: 16 },
    partials: { kind: 'optimizer state', bytes: 4 * partials },
  } as const satisfies Allocations;
}

interface OptimizerSettings extends Omit<AdamwSettings, 'learningRate'> {
  /** Global norm to which gradients are clipped; 0 disables clipping. */
  maxGradNorm: number;
}

/** AdamW over all LoRA tensors, its state in 8 bits (as bitsandbytes) or f32, with clipping to the global norm. */
export class Optimizer {
  readonly #gpu: Gpu;
  readonly #lora: Lora;
  readonly #settings: OptimizerSettings;
  readonly #state: OptimizerState;
  readonly #shared: Record<keyof ReturnType<typeof optimizerSharedAllocations>, GpuBuffer>;

  constructor(gpu: Gpu, lora: Lora, settings: OptimizerSettings, storage: StateStorage = 'resident') {
    this.#gpu = gpu;
    this.#lora = lora;
    this.#settings = settings;
    const layouts = lora.layers.map((layer) => layer.layout);
    this.#state = openState(gpu, layouts, storage);
    this.#shared = allocate(gpu.memory, optimizerSharedAllocations(layouts));
    gpu.device.queue.writeBuffer(this.#shared.maps.raw, 0, adamwMaps());
  }

  /** f32 [4] after a step: gradient norm before clipping, clip factor, 1 if all gradients were finite, 0. */
  get control(): BufferView {
    return view(this.#shared.control);
  }

  /**
   * Step `t` (from 1): computes the gradients' norm, clips, updates master weights and state, clears the gradients.
   * If a gradient is not finite, nothing changes and `control` says so.
   */
  async step(stream: Stream, t: number, learningRate: number): Promise<void> {
    const { partials, control, maps } = this.#shared;
    const { maxGradNorm, ...settings } = this.#settings;
    const layers = this.#lora.layers
      .filter(({ layout }) => layout.values > 0)
      .map(({ layout, grads }) => ({ grads: view(grads), count: layout.values }));
    const partialCount = gradNormPartial(stream, { layers, partials: view(partials) });
    gradNormFinish(stream, {
      partials: view(partials),
      partialCount,
      control: view(control),
      maxNorm: maxGradNorm,
    });
    const factors = adamwFactors(t, { ...settings, learningRate });
    const common = { control: view(control), factors };
    await this.#state.forEach(stream, (layer, state) => {
      const { layout, weights, grads } = this.#lora.layers[layer]!;
      const { values8bit, values } = layout;
      const { mCodes, vCodes, mAbsmax, vAbsmax, m, v } = stateLayout(layout);
      const at = ({ offset, size }: StateRange) => view(state, offset, size);
      if (values8bit > 0) {
        adamw8bit(stream, {
          ...common,
          weights: view(weights, 0, 4 * values8bit),
          grads: view(grads, 0, 4 * values8bit),
          mCodes: at(mCodes),
          vCodes: at(vCodes),
          mAbsmax: at(mAbsmax),
          vAbsmax: at(vAbsmax),
          maps: view(maps),
          blocks: values8bit / BLOCK,
        });
      }
      if (values > values8bit) {
        adamw32(stream, {
          ...common,
          weights: view(weights, 4 * values8bit),
          grads: view(grads, 4 * values8bit),
          m: at(m),
          v: at(v),
          count: values - values8bit,
        });
      }
    });
  }

  /** The state of every tensor, under PEFT's names: .m_code, .v_code, .m_absmax, .v_absmax, or .m, .v. */
  async read(stream: Stream): Promise<TensorData[]> {
    const tensors: TensorData[] = [];
    for (const [i, { layout }] of this.#lora.layers.entries()) {
      if (layout.values === 0) {
        continue;
      }
      const bytes = await this.#state.read(stream, i);
      for (const { name, dtype, count, range } of stateTensors(layout)) {
        const data = bytes.slice(range.offset, range.offset + range.size);
        tensors.push({ name, dtype, shape: [count], data });
      }
    }
    return tensors;
  }

  /** Restores a saved state; `tensor` returns the bytes of each name that `read` gives. */
  write(tensor: (name: string) => Uint8Array): void {
    this.#lora.layers.forEach(({ layout }, i) => {
      if (layout.values === 0) {
        return;
      }
      // The padding after a tensor keeps its initial value.
      const bytes = freshState(layout);
      for (const { name, range } of stateTensors(layout)) {
        bytes.set(tensor(name), range.offset);
      }
      this.#state.write(i, bytes);
    });
  }

  close(): void {
    this.#state.close();
    for (const buffer of Object.values(this.#shared)) {
      this.#gpu.memory.free(buffer);
    }
  }
}

/** The tensors of a layer's state, with their names and ranges in it. */
function stateTensors(layout: LoraLayout) {
  const state = stateLayout(layout);
  return layout.slots.flatMap(({ module, which, begin, count }) => {
    const part = (suffix: string, dtype: 'U8' | 'F32', n: number, from: StateRange, first: number) => {
      const bytes = dtype === 'U8' ? 1 : 4;
      const range = { offset: from.offset + bytes * first, size: bytes * n };
      return { name: `${tensorName(module, which)}.${suffix}`, dtype, count: n, range };
    };
    if (begin >= layout.values8bit) {
      const first = begin - layout.values8bit;
      return [part('m', 'F32', count, state.m, first), part('v', 'F32', count, state.v, first)];
    }
    const blocks = Math.ceil(count / BLOCK);
    return [
      part('m_code', 'U8', count, state.mCodes, begin),
      part('v_code', 'U8', count, state.vCodes, begin),
      part('m_absmax', 'F32', blocks, state.mAbsmax, begin / BLOCK),
      part('v_absmax', 'F32', blocks, state.vAbsmax, begin / BLOCK),
    ];
  });
}
