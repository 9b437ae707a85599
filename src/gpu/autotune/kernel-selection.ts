import type { Gpu } from '../device.ts';
import {
  ATTENTION_CLASSES,
  type AttentionCalls,
  type AttentionClass,
  ATTENTIONS,
} from '../kernels/attention/index.ts';
import type { AttentionVariant, Heads } from '../kernels/attention/variant.ts';
import { NF4_FORWARD, NF4_GRAD } from '../kernels/linear/index.ts';
import type { Nf4Weight } from '../kernels/linear/nf4-operands.ts';
import {
  type Nf4ForwardVariant,
  type Nf4GradVariant,
  type Precision,
  PRECISIONS,
  type Variant,
} from '../kernels/linear/nf4-variant.ts';
import { LM_HEADS, type LmHeadVariant } from '../kernels/lm-head/index.ts';
import { NORMS, type Reduction } from '../kernels/rmsnorm.ts';

/** Output and input features of a weight. */
export type Shape = Pick<Nf4Weight, 'columns' | 'depth'>;

export const DIRECTIONS = ['forward', 'gradient'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/**
 * Variant names by class: the products ("forward 1536x8960"), HEAD_CLASS, NORM_CLASS and each of ATTENTION_CLASSES.
 * Part of the execution plan's stored form.
 */
export type KernelSelection = Readonly<Record<string, string>>;

/** The class of a direction's products with weights of this shape, as execution plans name it. */
export const className = (direction: Direction, { columns, depth }: Shape): string =>
  `${direction} ${columns}x${depth}`;

/** The class of both products with the head's table. */
export const HEAD_CLASS = 'head';

/** The class of the norms' reduction. */
export const NORM_CLASS = 'norms';

/** The variant of each product, of each part of attention and of the norms' reduction. */
export interface KernelPlan {
  readonly precision: Precision;
  readonly head: LmHeadVariant;
  readonly norms: Reduction;
  /** Whether LoRA's gradients at gate's and up's columns are summed in one reading with the gradients of these. */
  readonly gathered: boolean;
  forward(weight: Shape): Nf4ForwardVariant;
  gradient(weight: Shape): Nf4GradVariant;
  attention<C extends AttentionClass>(part: C, heads: Heads): AttentionVariant<AttentionCalls[C]>;
}

/**
 * The variants that plans of this precision may name: those that the device supports, of it and of those below it; the
 * precision's own default first.
 */
export const variantCandidates = <V extends Variant<never>>(
  variants: readonly V[],
  precision: Precision,
  gpu: Gpu,
) =>
  PRECISIONS.slice(0, PRECISIONS.indexOf(precision) + 1)
    .toReversed()
    .flatMap((precision) =>
      variants.filter((variant) => variant.precision === precision && variant.supported(gpu)),
    );

/** Whether the device supports the precision. */
export const supports = (gpu: Gpu, precision: Precision): boolean =>
  [NF4_FORWARD, NF4_GRAD].every((variants) =>
    variants.some((variant) => variant.precision === precision && variant.supported(gpu)),
  );

/** An execution plan's choice of kernels: the precision and variants; classes not listed use the default. */
export interface PlannedKernels {
  precision: Precision;
  tiles: KernelSelection;
  /**
   * In one reading of gate and up, the backward pass also sums LoRA's gradients at their columns, in slices of its own;
   * absent in the plans of versions until 2026-11-30, which summed them apart.
   */
  gathered?: true | undefined;
}

/**
 * Looks up a plan's variants. The first that this device lacks is passed to `refuse`. Throws what `refuse` throws.
 */
export function openKernelPlan(
  gpu: Gpu,
  { precision, tiles, gathered }: PlannedKernels,
  refuse: (missing: string) => never,
): KernelPlan {
  if (!supports(gpu, precision)) {
    refuse(`of precision ${precision}`);
  }
  const named = <V extends Variant<never>>(able: readonly V[], name: string): V =>
    able.find((variant) => variant.name === name) ?? refuse(name);
  const find = <Call>(variants: readonly Variant<Call>[], direction: Direction) => {
    const able = variantCandidates(variants, precision, gpu);
    const classes = Object.entries(tiles).filter(([key]) => key.startsWith(`${direction} `));
    const byClass = new Map(classes.map(([key, name]) => [key, named(able, name)]));
    return (weight: Shape) => byClass.get(className(direction, weight)) ?? able[0]!;
  };
  const heads = variantCandidates(LM_HEADS, precision, gpu);
  const norms = variantCandidates(NORMS, 'f32', gpu);
  const parts = new Map(
    ATTENTION_CLASSES.map((part) => {
      const able = variantCandidates<AttentionVariant<never>>(ATTENTIONS[part], precision, gpu);
      return [part, tiles[part] === undefined ? able : [named(able, tiles[part])]];
    }),
  );
  return {
    ...{ precision, gathered: gathered === true },
    head: named(heads, tiles[HEAD_CLASS] ?? heads[0]!.name),
    norms: named(norms, tiles[NORM_CLASS] ?? norms[0]!.name).name,
    forward: find(NF4_FORWARD, 'forward'),
    gradient: find(NF4_GRAD, 'gradient'),
    attention: <C extends AttentionClass>(part: C, heads: Heads) => {
      const variant = parts.get(part)!.find((one) => one.fits(heads)) ?? refuse(`for ${part}`);
      return variant as AttentionVariant<AttentionCalls[C]>;
    },
  };
}
