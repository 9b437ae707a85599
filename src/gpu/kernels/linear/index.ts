import { HALF_FORWARD, HALF_GRAD } from './nf4-f16.ts';
import { PACKED_FORWARD, PACKED_GRAD } from './nf4-packed.ts';
import { TILE_FORWARD, TILE_GRAD } from './nf4-tiles.ts';
import type { Nf4ForwardVariant, Nf4GradVariant } from './nf4-variant.ts';

/** All variants of y = x·wᵀ. Within a precision, the first that the device supports is the default. */
export const NF4_FORWARD: readonly Nf4ForwardVariant[] = [
  ...TILE_FORWARD,
  ...PACKED_FORWARD,
  ...HALF_FORWARD,
];

/** All variants of dx = dy·w, likewise. */
export const NF4_GRAD: readonly Nf4GradVariant[] = [...TILE_GRAD, ...PACKED_GRAD, ...HALF_GRAD];
