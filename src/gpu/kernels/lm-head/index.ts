import type { Stream } from '../../stream.ts';
import type { Variant } from '../linear/nf4-variant.ts';
import { matrixFits } from '../shared/subgroup-matrix-kernels.ts';
import { HEAD_TILES, headMatmul, headMatmulGrad, type HeadTile, headTileName } from './lm-head.ts';
import { type HeadBackward, type HeadForward, MATRIX_HEADS } from './subgroup-matrix.ts';

/**
 * Both products with the head's table. When tuned, a variant runs one after the other and uses the logits as their
 * own gradient.
 */
export interface LmHeadVariant extends Variant<HeadForward & Omit<HeadBackward, 'dlogits'>> {
  /** logits = x·tableᵀ */
  forward(stream: Stream, call: HeadForward): void;
  /** dx = dlogits·table */
  backward(stream: Stream, call: HeadBackward): void;
}

const variant = (one: Omit<LmHeadVariant, 'dispatch'>): LmHeadVariant => ({
  ...one,
  dispatch(stream, call) {
    one.forward(stream, call);
    one.backward(stream, { ...call, dlogits: call.logits });
  },
});

/** f32 variants of the head, one per tile. */
const f32Head = (tile: HeadTile): LmHeadVariant =>
  variant({
    name: headTileName(tile),
    precision: 'f32',
    supported: () => true,
    forward: (stream, call) => headMatmul(stream, call, tile),
    backward: (stream, call) => headMatmulGrad(stream, call, tile),
  });

/** All variants of the head. Within a precision, the first that the device supports is the default. */
export const LM_HEADS: readonly LmHeadVariant[] = [
  ...HEAD_TILES.map(f32Head),
  ...MATRIX_HEADS.map(({ grid, forward, backward }, i) =>
    variant({
      name: i === 0 ? 'matrix' : `matrix ${grid.down}x${grid.across}`,
      precision: 'matrix',
      supported: (gpu) => matrixFits(gpu, grid),
      // Converting a table of 32-bit values to f16 would lose half of their bits.
      forward: (stream, call) => (call.table.format === 'f32' ? headMatmul : forward)(stream, call),
      backward: (stream, call) => (call.table.format === 'f32' ? headMatmulGrad : backward)(stream, call),
    }),
  ),
];
