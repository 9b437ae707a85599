// Reference: J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv:2104.09864; pairs
// are half a head apart, as in transformers' rotate_half.
import code from '../../../shaders/rope.wgsl';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { BufferView } from '../memory.ts';
import type { Stream } from '../stream.ts';

const kernel = new Kernel({
  name: 'rope',
  code,
  buffers: ['read', 'read', 'read_write'],
  params: { tokens: 'u32', heads: 'u32', direction: 'f32' },
});

/** Rotary position embedding with half-rotation; headDim is a multiple of 4. */
interface Rope {
  /** f32 [T, heads, headDim], rotated in place */
  x: BufferView;
  /** u32 [T], each below the table's maxPositions */
  positions: BufferView;
  /** `ropeTable`, f32 [maxPositions, headDim/2, 2] */
  table: BufferView;
  tokens: number;
  heads: number;
  headDim: number;
  /** Rotates backwards: the inverse, which is also the gradient with respect to x. */
  inverse: boolean;
}

/** Rotates each pair (x[i], x[i + headDim/2]) by its position's angle. */
export function rope(stream: Stream, { x, positions, table, tokens, heads, headDim, inverse }: Rope): void {
  stream.dispatch(kernel, {
    buffers: [positions, table, x],
    params: { tokens, heads, direction: inverse ? -1 : 1 },
    groups: spread(ceilDiv((tokens * heads * headDim) / 4, 256)),
    constants: { HALF2: headDim / 4 },
  });
}

/**
 * (cos, sin) of position · frequency, f32 [maxPositions, frequencies, 2]; computed in f64, because WGSL's sin and
 * cos are inaccurate for large angles.
 */
export function ropeTable(inverseFrequencies: Float64Array, maxPositions: number): Float32Array {
  const pairs = inverseFrequencies.length;
  const table = new Float32Array(maxPositions * pairs * 2);
  for (let position = 0; position < maxPositions; position++) {
    for (let i = 0; i < pairs; i++) {
      const angle = position * inverseFrequencies[i]!;
      table[2 * (position * pairs + i)] = Math.cos(angle);
      table[2 * (position * pairs + i) + 1] = Math.sin(angle);
    }
  }
  return table;
}
