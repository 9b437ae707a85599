import type { Stream } from '../../stream.ts';
import { PACKED_NAME, supportsPacked } from '../linear/nf4-packed.ts';
import type { Variant } from '../linear/nf4-variant.ts';
import { packedKernelsOf } from '../linear/packed-operands.ts';
import { matrixFits } from '../shared/subgroup-matrix-kernels.ts';
import { HEAD_TILES, headMatmul, headMatmulGrad, type HeadTile, headTileName } from './lm-head.ts';
import { dispatchPackedHead, dispatchPackedHeadGrad, packsHead } from './packed.ts';
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

const [FUSED] = MATRIX_HEADS;

/** The name of the variant that packs the table, for which a run has larger chunks of logits. */
export const PACKED_HEAD = PACKED_NAME;

/** Packs the table for chunks of many rows, and has the scratch for that. */
const packedHead = variant({
  name: PACKED_HEAD,
  precision: 'matrix',
  supported: (gpu) => supportsPacked(gpu) && matrixFits(gpu, FUSED!.grid),
  forward(stream, call) {
    const { table, rows, packed } = call;
    if (packsHead(table, rows, packed)) {
      dispatchPackedHead(stream, packedKernelsOf(stream.gpu), { ...call, packed });
    } else {
      (table.format === 'f32' ? headMatmul : FUSED!.forward)(stream, call);
    }
  },
  backward(stream, call) {
    const { table, rows, packed, rowScales } = call;
    if (rowScales && packsHead(table, rows, packed)) {
      dispatchPackedHeadGrad(stream, packedKernelsOf(stream.gpu), { ...call, packed, rowScales });
    } else {
      (table.format === 'f32' ? headMatmulGrad : FUSED!.backward)(stream, call);
    }
  },
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
  packedHead,
];
