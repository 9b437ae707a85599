import gateUp from '../../../../shaders/lora/gradient_gate_up_by_floats.wgsl';
import gateUpInHalves from '../../../../shaders/lora/gradient_gate_up_by_halves.wgsl';
import code from '../../../../shaders/lora/lora_gated_gradient.wgsl';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { type BufferView, spanOf } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import type { Gated } from '../gated-halves.ts';
import { PARTS, type PartsOf } from '../shared/parts.ts';
import { bytesBeside } from '../shared/sum-slices.ts';
import { type Dropout, masking } from './dropout.ts';
import { sliceDepth } from './tiles.ts';

const PART = { rank: 'u32', narrow_at: 'u32', out_at: 'u32', module_key: 'u32' } as const;

const kernelFor = (name: string, source: string, more: readonly 'read'[] = []) =>
  new Kernel({
    name,
    code: source,
    buffers: ['read_write', 'read_write', 'read', 'read', 'read', 'read', 'read_write', ...more],
    parts: { fields: PART, count: PARTS },
    params: { width: 'u32', tokens: 'u32', slice_tokens: 'u32', threshold: 'u32', scale: 'f32' },
  });

const kernel = kernelFor('lora_gated_gradient', gateUp + code);

/** The same for gate and up that are rounded to f16. */
const halvesKernel = kernelFor('lora_gated_gradient in halves', gateUpInHalves + code, ['read']);

/** Columns of a workgroup's tile, and the ranks that it takes. */
const TILE = 32;
export const GATED_RANKS = 32;

/** A gradient of A: dA += vᵀ·silu(gate)·up. */
interface ReadingA {
  /** f32 [T, r] */
  v: BufferView;
  /** f32 [r, width] */
  dA: BufferView;
  /** At most GATED_RANKS. */
  rank: number;
  /** `moduleKey` of the module; under dropout only. */
  moduleKey?: number;
}

/** A gradient of B: dB += dgateᵀ·u or dupᵀ·u. */
interface MakingB {
  /** f32 [T, r] */
  u: BufferView;
  /** f32 [width, r] */
  dB: BufferView;
  /** At most GATED_RANKS. */
  rank: number;
}

/**
 * Replaces gate and up, f32 [T, width], by the gradients of silu(gate)·up with respect to them, given `dout`, and adds
 * what LoRA's gradients take of these columns: `reads`, of the pair that reads the product, `gate` and `up` of those
 * that made the two. Both u must be in one buffer, dA and dB in another. `dropout` masks the product for `reads`. Width
 * is a multiple of 4. Halves that were saved are read in place of gate and up.
 */
export function loraGatedGradient(
  stream: Stream,
  call: Gated & {
    dout: BufferView;
    reads?: ReadingA | undefined;
    makes: { gate?: MakingB | undefined; up?: MakingB | undefined };
    width: number;
    tokens: number;
    dropout?: Dropout | undefined;
  },
): void {
  const { gate, up, halves, dout, reads, makes, width, tokens, dropout } = call;
  const made = [makes.gate, makes.up];
  const us = made.flatMap((part) => part?.u ?? []);
  // Absent operands are bound to dout and never read.
  const [u, v] = [us.length > 0 ? spanOf(us).whole : dout, reads?.v ?? dout];
  const out = spanOf([reads?.dA, ...made.map((part) => part?.dB)].flatMap((one) => one ?? [])).whole;
  const at = (one: BufferView, whole: BufferView) => (one.offset - whole.offset) / 4;
  const absent = { rank: 0, narrow_at: 0, out_at: 0, module_key: 0 };
  const parts: PartsOf<typeof PART> = [
    reads
      ? { ...absent, rank: reads.rank, out_at: at(reads.dA, out), module_key: reads.moduleKey ?? 0 }
      : absent,
    ...made.map((part) =>
      part ? { ...absent, rank: part.rank, narrow_at: at(part.u, u), out_at: at(part.dB, out) } : absent,
    ),
  ];
  const slice_tokens = sliceDepth([{ depth: tokens, tiles: 1 }]);
  const mask = masking(dropout);
  const wide = [gate, up, dout];
  const saved = halves && [halves.saved ?? dout];
  stream.dispatch(halves ? halvesKernel : kernel, {
    buffers: [...wide, u, v, dropout?.tokenKeys ?? dout, out, ...(saved ?? [])],
    bytes: () => bytesBeside([...wide, u, v, out, ...(saved ?? [])], 0),
    parts,
    params: { width, tokens, slice_tokens, ...mask.params },
    groups: [ceilDiv(width, TILE)],
    constants: {
      GROUPS: Math.min(2, ceilDiv(tokens, slice_tokens)),
      ...(halves && { SAVED: Number(!!halves.saved) }),
      ...mask.constants,
    },
    work: parts.reduce((sum, { rank }) => sum + 2 * tokens * width * rank, 0),
  });
}
