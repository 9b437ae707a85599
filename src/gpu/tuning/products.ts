import type { Gpu } from '../device.ts';
import type { Nf4Weight } from '../kernels/nf4-call.ts';
import type { Nf4ForwardVariant, Nf4GradVariant, Nf4Variant, Precision } from '../kernels/nf4-variant.ts';
import { NF4_FORWARD, NF4_GRAD } from '../kernels/nf4-variants.ts';

/** Out and in of a weight. */
export type Shape = Pick<Nf4Weight, 'columns' | 'depth'>;

export const DIRECTIONS = ['forward', 'gradient'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** The name of the variant that serves each class of products: "forward 1536x8960". */
export type Tiles = Readonly<Record<string, string>>;

/** What a run plan calls the products of a direction with weights of this shape. */
export const className = (direction: Direction, { columns, depth }: Shape): string =>
  `${direction} ${columns}x${depth}`;

/** Which variant computes each product. */
export interface Products {
  forward(weight: Shape): Nf4ForwardVariant;
  gradient(weight: Shape): Nf4GradVariant;
}

/** The variants of a rung that the device supports, its default first. */
export const candidates = <Call>(variants: readonly Nf4Variant<Call>[], precision: Precision, gpu: Gpu) =>
  variants.filter((variant) => variant.precision === precision && variant.supported(gpu));

/** Whether the device can compute on this rung. */
export const supports = (gpu: Gpu, precision: Precision): boolean =>
  candidates(NF4_FORWARD, precision, gpu).length > 0 && candidates(NF4_GRAD, precision, gpu).length > 0;

/** The variants that `tiles` names; the first that this device lacks goes to `refuse`. */
export function openProducts(gpu: Gpu, tiles: Tiles, refuse: (missing: string) => never): Products {
  const find = <Call>(variants: readonly Nf4Variant<Call>[], direction: Direction) => {
    const found = Object.entries(tiles)
      .filter(([key]) => key.startsWith(`${direction} `))
      .map(([key, name]) => {
        const variant = variants.find((v) => v.name === name && v.supported(gpu));
        return [key, variant ?? refuse(name)] as const;
      });
    const byClass = new Map(found);
    return (weight: Shape) =>
      byClass.get(className(direction, weight)) ?? refuse(className(direction, weight));
  };
  return { forward: find(NF4_FORWARD, 'forward'), gradient: find(NF4_GRAD, 'gradient') };
}
