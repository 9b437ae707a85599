import type { DecoderConfig } from '../formats/decoder-config.ts';
import { type Projection, PROJECTIONS } from '../formats/decoder-weights.ts';
import type { Gpu } from '../gpu/device.ts';
import { attentionScratch } from '../gpu/kernels/attention/attention.ts';
import { crossEntropyScratch } from '../gpu/kernels/cross-entropy.ts';
import type { Gated } from '../gpu/kernels/gated-halves.ts';
import { headSlices } from '../gpu/kernels/lm-head/lm-head.ts';
import {
  PACKED_HEAD_ROWS,
  packedHeadBytes,
  packedHeadScratch,
  UNPACKED_HEAD_ROWS,
} from '../gpu/kernels/lm-head/packed.ts';
import { LORA_SCRATCH } from '../gpu/kernels/lora/project.ts';
import type { FloatFormat } from '../gpu/kernels/shared/float-format.ts';
import { type BufferView, type GpuBuffer, view } from '../gpu/memory.ts';
import {
  SAVED,
  type SavedActivations,
  type SavedFormat,
  uniformlySaved,
} from './activation-checkpointing.ts';
import { allocate, type Allocation, type Allocations, keyWidth, queryWidth } from './allocations.ts';
import { tableParts } from './weights.ts';

/** What the activations are sized for; equal shapes give equal bytes. */
export interface ActivationShape {
  config: DecoderConfig;
  headFormat: FloatFormat;
  /** Maximum tokens of a pass. */
  tokens: number;
  /** Maximum LoRA rank. */
  rank: number;
  /** Whether to allocate the buffers of the backward pass and the saved activations. */
  training: boolean;
  /** Whether the head's table is packed for products of more rows at once (kernels/lm-head/packed.ts). */
  packedHead?: boolean | undefined;
  /** Level of each layer's saved activations; by default attention output and statistics. */
  keep?: readonly SavedActivations[] | undefined;
  /** How gate and up are rounded and saved; by default as the f32 that they are. */
  savedFormat?: SavedFormat | undefined;
  /** MiB of logits computed at once. */
  logitMiB?: number | undefined;
}

/**
 * MiB of logits computed at once; the vocabulary times the labeled tokens of a pass would be gigabytes. Each chunk reads
 * the whole table twice: 192 rows of Qwen's vocabulary fit, and every device can bind them.
 */
export const LOGIT_MIB = 112;
/** In generation, which needs few, and in the plans of versions until 2026-11-30. */
const FEWER_LOGIT_MIB = 75;

const roundUp = (n: number, to: number) => Math.ceil(n / to) * to;

/** Tokens that the buffers hold: a multiple of 64, so that every sub-range starts at a multiple of 256 bytes. */
const capacityOf = (tokens: number): number => roundUp(tokens, 64);

/** Labeled rows per chunk of logits: a multiple of 64. */
export function logitRows({
  config,
  tokens,
  logitMiB = FEWER_LOGIT_MIB,
  packedHead = false,
}: Pick<ActivationShape, 'config' | 'tokens' | 'logitMiB' | 'packedHead'>): number {
  const fit = Math.floor((logitMiB * 2 ** 20) / (4 * config.vocabSize) / 64) * 64;
  return Math.min(packedHead ? PACKED_HEAD_ROWS : Math.max(64, fit), capacityOf(tokens));
}

/**
 * Bytes of the logits' buffer, which is the layers' scratch too: partial sums, and operands packed by tile, which are
 * packed in parts where it is small.
 */
export function scratchOf(shape: Omit<ActivationShape, 'headFormat' | 'rank'>): number {
  const { config: c, tokens, training } = shape;
  const logits = logitRows(shape) * c.vocabSize;
  return 4 * Math.max(logits, LORA_SCRATCH, training ? attentionScratch(capacityOf(tokens), c) : 0);
}

/** Width of scratchA, B and C: an MLP activation, or q, k and v together. */
const wide = (c: DecoderConfig) =>
  Math.max(c.hiddenSize, c.intermediateSize, queryWidth(c) + 2 * keyWidth(c));

/** Bytes of the largest buffer that grows with a pass. */
export const scratchBytes = (config: DecoderConfig, tokens: number): number =>
  4 * capacityOf(tokens) * wide(config);

const keepOf = ({ config, training, keep }: ActivationShape): readonly SavedActivations[] =>
  training ? (keep ?? uniformlySaved(config.layers)) : [];

/** Projections whose x·Aᵀ is saved with the attention's projections; the others belong to the MLP. */
const ATTENTION_PARTS: readonly Projection[] = ['q_proj', 'k_proj', 'v_proj', 'o_proj'];
const MLP_PARTS: readonly Projection[] = ['gate_proj', 'up_proj', 'down_proj'];

/** Maximum number of projections that share an input; their dy·B are alive at the same time. */
const LORA_GRADS = 3;

/** Values of the partial sums of the head's gradient. */
function headSums(shape: ActivationShape): number {
  const { config: c, headFormat, packedHead } = shape;
  const rows = logitRows(shape);
  const slices = headSlices(tableParts(c.vocabSize, c.hiddenSize, headFormat));
  const fused = slices * (packedHead ? Math.min(rows, UNPACKED_HEAD_ROWS) : rows) * c.hiddenSize;
  return packedHead ? Math.max(fused, packedHeadScratch(rows, c.hiddenSize)) : fused;
}

/** Values, in f32, of the head's operands packed by tile. */
const packedValues = ({
  config: { vocabSize: vocab, hiddenSize: width },
  packedHead,
}: ActivationShape): number => (packedHead ? packedHeadBytes({ vocab, width }) / 4 : 0);

/** The buffers of `Activations`: shared ones, and the saved ones of each layer. */
export function activationAllocations(shape: ActivationShape) {
  const { config: c, rank, training } = shape;
  const tokens = capacityOf(shape.tokens);
  const f32 = (kind: 'working activations' | 'logits' | 'batch', values: number) => ({
    kind,
    bytes: 4 * values,
  });
  const rows = logitRows(shape);
  const wideValues = tokens * wide(c);
  const sums = headSums(shape);
  const packed = packedValues(shape);
  const keep = keepOf(shape);
  // Used by layers that have no buffers of their own for these.
  const shared = keep.length === 0 || keep.includes(SAVED.input);
  return {
    work: {
      scratchA: f32('working activations', wideValues),
      scratchB: f32('working activations', wideValues),
      scratchC: f32('working activations', wideValues),
      normed: f32('working activations', tokens * c.hiddenSize),
      postAttention: f32('working activations', tokens * Math.max(c.hiddenSize, queryWidth(c))),
      residualOut: f32('working activations', tokens * c.hiddenSize),
      x: f32('working activations', training ? 1 : tokens * c.hiddenSize),
      attnOut: f32('working activations', shared ? tokens * queryWidth(c) : 1),
      stats: f32('working activations', shared ? 2 * tokens * c.heads : 1),
      loraOut: f32('working activations', tokens * rank * PROJECTIONS.length),
      loraGrad: f32('working activations', training ? tokens * rank * LORA_GRADS : 1),
      rowScales: f32('working activations', training ? tokens * LORA_GRADS : tokens),
      grad: f32('working activations', training ? tokens * c.hiddenSize : 1),
      headIn: f32('logits', rows * c.hiddenSize),
      headGrad: f32('logits', training ? rows * c.hiddenSize : 1),
      // Most passes have the room in scratchC and scratchB, which are idle then.
      headScratch: f32('logits', training && sums > wideValues ? sums : 1),
      headPacked: f32('logits', packed > wideValues ? packed : 1),
      logits: { kind: 'logits', bytes: scratchOf(shape) },
      lossScratch: f32('logits', crossEntropyScratch(rows, c.vocabSize)),
      ids: f32('batch', tokens),
      positions: f32('batch', tokens),
      ranges: f32('batch', 2 * tokens),
      tokenKeys: f32('batch', training ? 2 * tokens : 2),
      targetIndex: f32('batch', tokens),
      labels: f32('batch', tokens),
    },
    kept: keep.map((level) => keptAllocations({ ...shape, tokens }, level)),
  } as const satisfies { work: Allocations; kept: Allocations[] };
}

/** The saved activations of one layer. */
function keptAllocations(
  { config: c, tokens, rank, savedFormat }: ActivationShape,
  level: SavedActivations,
): Allocations {
  const values = (width: number): Allocation => ({ kind: 'kept activations', bytes: 4 * tokens * width });
  const [q, kv] = [queryWidth(c), keyWidth(c)];
  return {
    x: values(c.hiddenSize),
    ...(level >= SAVED.attention && { attnOut: values(q), stats: values(2 * c.heads) }),
    ...(level >= SAVED.projections && {
      qkv: values(q + 2 * kv),
      postAttention: values(c.hiddenSize),
      attentionLora: values(rank * ATTENTION_PARTS.length),
    }),
    ...(level >= SAVED.all && {
      ...(savedFormat === 'f16'
        ? { halves: values(c.intermediateSize) }
        : { gate: values(c.intermediateSize), up: values(c.intermediateSize) }),
      mlpLora: values(rank * MLP_PARTS.length),
    }),
  };
}

type Kept =
  | 'x'
  | 'attnOut'
  | 'stats'
  | 'qkv'
  | 'postAttention'
  | 'attentionLora'
  | 'gate'
  | 'up'
  | 'halves'
  | 'mlpLora';

/**
 * Activations on the device for passes of up to `shape.tokens` tokens. T = tokens, C = hidden size, r = rank.
 * Throws UserError if the device cannot allocate them.
 */
export class Activations {
  readonly shape: ActivationShape;
  readonly buffers: Record<keyof ReturnType<typeof activationAllocations>['work'], GpuBuffer>;
  readonly #kept: Partial<Record<Kept, GpuBuffer>>[];
  readonly #keep: readonly SavedActivations[];
  readonly #gpu: Gpu;
  readonly #capacity: number;

  constructor(gpu: Gpu, shape: ActivationShape) {
    this.#gpu = gpu;
    this.shape = shape;
    this.#capacity = capacityOf(shape.tokens);
    this.#keep = keepOf(shape);
    const sets = activationAllocations(shape);
    this.buffers = allocate(gpu.memory, sets.work);
    this.#kept = sets.kept.map((set) => allocate(gpu.memory, set));
  }

  /** Whether this level of a layer is saved for the backward pass. */
  keeps(layer: number, level: SavedActivations): boolean {
    return this.#keep[layer]! >= level;
  }

  /** Input of a layer, [T, C]; without training, layers alternate between two buffers. */
  x(layer: number): BufferView {
    if (this.shape.training) {
      return view(this.#kept[layer]?.x ?? this.buffers.residualOut);
    }
    return view(layer % 2 === 0 ? this.buffers.x : this.buffers.residualOut);
  }

  /** Attention output of a layer, [T, heads·headDim]. */
  attnOut(layer: number): BufferView {
    return view(this.#kept[layer]?.attnOut ?? this.buffers.attnOut);
  }

  /** Log-sum-exp and Σ dO·O of a layer's attention, [T, heads, 2]. */
  stats(layer: number): BufferView {
    return view(this.#kept[layer]?.stats ?? this.buffers.stats);
  }

  /** Output of a layer's q, k and v projections. */
  projected(layer: number): { q: BufferView; k: BufferView; v: BufferView } {
    return this.qkv(this.#kept[layer]?.qkv ?? this.buffers.scratchA);
  }

  /** x + attention of a layer, [T, C]. */
  postAttention(layer: number): BufferView {
    return view(this.#kept[layer]?.postAttention ?? this.buffers.postAttention);
  }

  /** Output of a layer's gate and up projections, [T, intermediate]; where their gradients go, too. */
  gated(layer: number): Gated {
    const { gate, up, halves } = this.#kept[layer] ?? {};
    return {
      gate: view(gate ?? this.buffers.scratchA),
      up: view(up ?? this.buffers.scratchB),
      halves: this.shape.savedFormat && { saved: halves && view(halves) },
    };
  }

  /** q, k and v (or their gradients) side by side in one buffer. */
  qkv(buffer: GpuBuffer): { q: BufferView; k: BufferView; v: BufferView } {
    const { config: c } = this.shape;
    const q = 4 * this.#capacity * queryWidth(c);
    const kv = 4 * this.#capacity * keyWidth(c);
    return { q: view(buffer, 0, q), k: view(buffer, q, kv), v: view(buffer, q + kv, kv) };
  }

  /** x·Aᵀ·scaling of one projection of a layer, [T, r]. */
  loraOut(layer: number, projection: Projection): BufferView {
    const bytes = 4 * this.#capacity * this.shape.rank;
    const at = (parts: readonly Projection[], buffer: GpuBuffer) =>
      view(buffer, parts.indexOf(projection) * bytes, bytes);
    const { attentionLora, mlpLora } = this.#kept[layer] ?? {};
    if (attentionLora && ATTENTION_PARTS.includes(projection)) {
      return at(ATTENTION_PARTS, attentionLora);
    }
    if (mlpLora && MLP_PARTS.includes(projection)) {
      return at(MLP_PARTS, mlpLora);
    }
    return at(PROJECTIONS, this.buffers.loraOut);
  }

  /** dy·B·scaling of one projection, [T, r]; valid until those of another input are written. */
  loraGrad(projection: Projection): BufferView {
    const bytes = 4 * this.#capacity * this.shape.rank;
    const place = projection === 'k_proj' || projection === 'up_proj' ? 1 : projection === 'v_proj' ? 2 : 0;
    return view(this.buffers.loraGrad, place * bytes, bytes);
  }

  /** Scales of the rows of one of up to three gradients, [T], for the precisions above f32. */
  rowScales(part: number): BufferView {
    const bytes = 4 * this.#capacity;
    return view(this.buffers.rowScales, part * bytes, bytes);
  }

  /** Scratch for the slices of the head's gradient: scratchC, unless it is too small. */
  get headScratch(): BufferView {
    const { headScratch, scratchC } = this.buffers;
    return view(headScratch.size > 4 ? headScratch : scratchC);
  }

  /** Scratch for the head's packed operands: scratchB, unless it is too small; undefined if the run packs none. */
  get headPacked(): BufferView | undefined {
    const { headPacked, scratchB } = this.buffers;
    return this.shape.packedHead ? view(headPacked.size > 4 ? headPacked : scratchB) : undefined;
  }

  /** Scratch for partial sums and packed operands within the layers: the logits' buffer, which is unused then. */
  get scratch(): BufferView {
    return view(this.buffers.logits);
  }

  close(): void {
    for (const set of [this.buffers, ...this.#kept]) {
      for (const buffer of Object.values(set)) {
        this.#gpu.memory.free(buffer);
      }
    }
  }
}
