import { HALF_FORWARD, HALF_GRAD } from './nf4-f16.ts';
import { TILE_FORWARD, TILE_GRAD } from './nf4-tiles.ts';
import type { Nf4ForwardVariant, Nf4GradVariant } from './nf4-variant.ts';

/** Every way to compute y = x·wᵀ; of a precision's variants that a device supports the first is its default. */
export const NF4_FORWARD: readonly Nf4ForwardVariant[] = [...TILE_FORWARD, ...HALF_FORWARD];

/** Every way to compute dx = dy·w, likewise. */
export const NF4_GRAD: readonly Nf4GradVariant[] = [...TILE_GRAD, ...HALF_GRAD];
