import type { DecoderConfig } from '../formats/decoder-config.ts';
import type { Gpu } from '../gpu/device.ts';
import { headSlices } from '../gpu/kernels/head.ts';
import { view, type GpuBuffer, type View } from '../gpu/memory.ts';
import { allocate, keyWidth, queryWidth, type Allocations } from './allocations.ts';
import { tableParts } from './weights.ts';
import { PROJECTIONS, type Projection } from '../formats/decoder-weights.ts';
import type { FloatFormat } from '../gpu/kernels/float-format.ts';

/** What a workspace must hold; equal shapes give equal bytes. */
export interface WorkspaceShape {
  config: DecoderConfig;
  headFormat: FloatFormat;
  /** Largest number of tokens of a pass. */
  tokens: number;
  /** Largest LoRA rank. */
  rank: number;
  /** Keep what the backward pass needs of every layer. */
  training: boolean;
  /** Room for the masked input of LoRA dropout. */
  dropout: boolean;
}

/** Bytes of logits computed at once; the vocabulary times the labelled tokens of a pass would be gigabytes. */
const LOGIT_BYTES = 74 * 2 ** 20;

const roundUp = (n: number, to: number) => Math.ceil(n / to) * to;

/** Tokens for which room is made: a multiple of 64, so that every sub-range begins at a multiple of 256 bytes. */
export const capacityOf = (tokens: number): number => roundUp(tokens, 64);

/** Labelled rows per chunk of logits: a multiple of 64. */
export function logitRows(shape: WorkspaceShape): number {
  const fit = Math.floor(LOGIT_BYTES / (4 * shape.config.vocabSize) / 64) * 64;
  return Math.min(Math.max(64, fit), capacityOf(shape.tokens));
}

/** Width of the three wide buffers: an MLP activation, or q, k and v together. */
const wide = (c: DecoderConfig) =>
  Math.max(c.hiddenSize, c.intermediateSize, queryWidth(c) + 2 * keyWidth(c));

/** The buffers of a workspace. */
export function workspaceAllocations(shape: WorkspaceShape) {
  const { config: c, rank, training } = shape;
  const tokens = capacityOf(shape.tokens);
  const f32 = (kind: 'working activations' | 'logits' | 'batch' | 'kept activations', values: number) => ({
    kind,
    bytes: 4 * values,
  });
  const rows = logitRows(shape);
  const slices = headSlices(tableParts(c.vocabSize, c.hiddenSize, shape.headFormat));
  const kept = training ? c.layers : 0;
  return {
    work: {
      wideA: f32('working activations', tokens * wide(c)),
      wideB: f32('working activations', tokens * wide(c)),
      wideC: f32('working activations', tokens * wide(c)),
      normed: f32('working activations', tokens * c.hiddenSize),
      middle: f32('working activations', tokens * Math.max(c.hiddenSize, queryWidth(c))),
      out: f32('working activations', tokens * c.hiddenSize),
      loraOut: f32('working activations', tokens * rank * PROJECTIONS.length),
      loraGrad: f32('working activations', training ? tokens * rank : 1),
      dropped: f32('working activations', shape.dropout ? tokens * wide(c) : 1),
      grad: f32('working activations', training ? tokens * c.hiddenSize : 1),
      headIn: f32('logits', rows * c.hiddenSize),
      headGrad: f32('logits', training ? rows * c.hiddenSize : 1),
      headScratch: f32('logits', training ? slices * rows * c.hiddenSize : 1),
      logits: f32('logits', rows * c.vocabSize),
      ids: f32('batch', tokens),
      positions: f32('batch', tokens),
      ranges: f32('batch', 2 * tokens),
      tokenKeys: f32('batch', shape.dropout ? 2 * tokens : 2),
      targetIndex: f32('batch', tokens),
      labels: f32('batch', tokens),
    },
    // Per layer: its input, its attention output and the softmax statistics; all else is computed again.
    kept: Array.from({ length: Math.max(1, kept) }, () => ({
      x: f32('kept activations', tokens * c.hiddenSize),
      attended: f32('kept activations', tokens * queryWidth(c)),
      stats: f32('kept activations', 2 * tokens * c.heads),
    })),
  } as const satisfies { work: Allocations; kept: Allocations[] };
}

/** Activations on the device for passes of up to `shape.tokens` tokens. */
export class Workspace {
  readonly shape: WorkspaceShape;
  readonly buffers: Record<keyof ReturnType<typeof workspaceAllocations>['work'], GpuBuffer>;
  readonly #kept: Record<'x' | 'attended' | 'stats', GpuBuffer>[];
  readonly #gpu: Gpu;
  readonly #capacity: number;

  constructor(gpu: Gpu, shape: WorkspaceShape) {
    this.#gpu = gpu;
    this.shape = shape;
    this.#capacity = capacityOf(shape.tokens);
    const sets = workspaceAllocations(shape);
    this.buffers = allocate(gpu.memory, sets.work);
    this.#kept = sets.kept.map((set) => allocate(gpu.memory, set));
  }

  /** Input of a layer, [tokens, hidden]; without training all layers take turns at two buffers. */
  x(layer: number): View {
    if (this.shape.training) return view(layer < this.#kept.length ? this.#kept[layer]!.x : this.buffers.out);
    return view(layer % 2 === 0 ? this.#kept[0]!.x : this.buffers.out);
  }

  /** Attention output of a layer, [tokens, heads·headDim]. */
  attended(layer: number): View {
    return view(this.#kept[this.shape.training ? layer : 0]!.attended);
  }

  /** Log-sum-exp and Σ dO·O of a layer's attention, [tokens, heads, 2]. */
  stats(layer: number): View {
    return view(this.#kept[this.shape.training ? layer : 0]!.stats);
  }

  /** q, k and v (or their gradients) side by side in one of the wide buffers. */
  qkv(buffer: GpuBuffer): { q: View; k: View; v: View } {
    const { config: c } = this.shape;
    const q = 4 * this.#capacity * queryWidth(c);
    const kv = 4 * this.#capacity * keyWidth(c);
    return { q: view(buffer, 0, q), k: view(buffer, q, kv), v: view(buffer, q + kv, kv) };
  }

  /** x·Aᵀ·scaling of one projection, [tokens, rank]. */
  loraOut(projection: Projection): View {
    const bytes = 4 * this.#capacity * this.shape.rank;
    return view(this.buffers.loraOut, PROJECTIONS.indexOf(projection) * bytes, bytes);
  }

  close(): void {
    for (const set of [this.buffers, ...this.#kept])
      for (const buffer of Object.values(set)) this.#gpu.memory.free(buffer);
  }
}
