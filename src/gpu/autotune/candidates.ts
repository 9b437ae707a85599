import type { Gpu } from '../device.ts';
import { type AttentionCalls, type AttentionClass, ATTENTIONS } from '../kernels/attention/index.ts';
import { PACKED_ATTENTION_NAME } from '../kernels/attention/packed.ts';
import { packsAttention } from '../kernels/attention/packed-operands.ts';
import type { AttentionVariant } from '../kernels/attention/variant.ts';
import { NF4_FORWARD, NF4_GRAD } from '../kernels/linear/index.ts';
import { PACKED_NAME, packsWeight } from '../kernels/linear/nf4-packed.ts';
import type { Nf4ForwardVariant, Nf4GradVariant, Variant } from '../kernels/linear/nf4-variant.ts';
import { LM_HEADS, type LmHeadVariant, PACKED_HEAD } from '../kernels/lm-head/index.ts';
import { type Direction, type Shape, variantCandidates } from './kernel-selection.ts';
import type { Workload } from './workload.ts';

// Which variants a trial takes: of those that the device supports and for which there is room, without those that
// lose by over 10% for the compilers of all GPUs whose figures there are (docs/BENCHMARKS.md, "Fewer variants"). Plans
// that name one of those still run.

/** What is tried beside packed products: f32's default, which counts as right, and tiles that may win. */
const BESIDE_PACKED: Readonly<Record<Direction, readonly string[]>> = {
  forward: ['f32 64x128x16', 'f32 64x64x16', 'f32 32x64x32', 'f32 64x64x16 by 8x4'],
  gradient: ['f32 64x128x16', 'f32 64x64x16'],
};

/** Rows from which that is so: those of the passes that were reckoned. In shorter ones a trial takes no time. */
const RECKONED_ROWS = 512;

/** What is tried in f32 beside the head's products on subgroup matrices. */
const BESIDE_MATRIX_HEADS: readonly string[] = ['f32', 'f32 128x128x16'];

/** Spills registers on RDNA3, and takes 1.2 to 2.2 times as long as the best of the others. */
const SPILLING_ATTENTION = 'matrix';

/** What determines the products of a trial. */
export type ProductWork = Pick<Workload, 'precision' | 'rows' | 'rank' | 'nested' | 'scratch'>;

function products<V extends Variant<never>>(
  all: readonly V[],
  direction: Direction,
  { columns, depth }: Shape,
  { precision, rows, rank, scratch }: ProductWork,
  gpu: Gpu,
): V[] {
  const able = variantCandidates(all, precision, gpu);
  const [width, inner] = direction === 'forward' ? [columns, depth] : [depth, columns];
  const packs =
    able.some(({ name }) => name === PACKED_NAME) &&
    packsWeight(gpu, { rows, columns: width, inner, rank }, scratch);
  if (!packs) {
    return able.filter(({ name }) => name !== PACKED_NAME);
  }
  const beside = BESIDE_PACKED[direction];
  return rows < RECKONED_ROWS
    ? able
    : able.filter(({ name }) => name === PACKED_NAME || beside.includes(name));
}

/** The variants to try for a product with weights of this shape, the default first. */
export const forwardCandidates = (shape: Shape, work: ProductWork, gpu: Gpu): Nf4ForwardVariant[] =>
  products(NF4_FORWARD, 'forward', shape, work, gpu);
export const gradientCandidates = (shape: Shape, work: ProductWork, gpu: Gpu): Nf4GradVariant[] =>
  products(NF4_GRAD, 'gradient', shape, work, gpu);

/** The same for the head; the variant that packs the table takes part where there is memory for it. */
export function headCandidates({ precision, head }: Pick<Workload, 'precision' | 'head'>, gpu: Gpu) {
  const able = variantCandidates<LmHeadVariant>(LM_HEADS, precision, gpu);
  const onMatrices = able.some((one) => one.precision === 'matrix');
  return able.filter(
    (one) =>
      (one.name !== PACKED_HEAD || head.packed === true) &&
      (one.precision !== 'f32' || !onMatrices || BESIDE_MATRIX_HEADS.includes(one.name)),
  );
}

/** The same for a part of attention; packed operands take part where the scratch holds those of a key head. */
export const attentionCandidates = <C extends AttentionClass>(
  part: C,
  work: Pick<Workload, 'precision' | 'attention' | 'rows' | 'scratch'>,
  gpu: Gpu,
) =>
  variantCandidates<AttentionVariant<AttentionCalls[C]>>(ATTENTIONS[part], work.precision, gpu).filter(
    (variant) =>
      variant.fits(work.attention) &&
      variant.name !== SPILLING_ATTENTION &&
      (variant.name !== PACKED_ATTENTION_NAME ||
        packsAttention(gpu, part, { tokens: work.rows, ...work.attention }, work.scratch)),
  );
