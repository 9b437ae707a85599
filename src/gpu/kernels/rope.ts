// Reference: J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv:2104.09864; pairs
// are half a head apart, as in transformers' rotate_half.
import code from '../../../shaders/rope.wgsl';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import { type BufferView, spanOf } from '../memory.ts';
import type { Stream } from '../stream.ts';
import type { KeyShares } from './attention/attention.ts';

const kernel = new Kernel({
  name: 'rope',
  code,
  buffers: ['read', 'read', 'read', 'read', 'read_write'],
  params: {
    ...{ tokens: 'u32', heads: 'u32', kv_heads: 'u32', direction: 'f32' },
    ...{ k_at: 'u32', v_at: 'u32', shares: 'u32' },
  },
});

/** Rotary position embedding with half-rotation; headDim is a multiple of 4. */
interface Rope {
  /** f32 [T, heads, headDim], rotated in place */
  q: BufferView;
  /** f32 [T, kvHeads, headDim], in the same buffer behind q; rotated in place */
  k: BufferView;
  /** The same in the same buffer behind k; needed with `shares` only */
  v?: BufferView;
  /** u32 [T], each below the table's maxPositions */
  positions: BufferView;
  /** `ropeTable`, f32 [maxPositions, headDim/2, 2] */
  table: BufferView;
  tokens: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Rotates backwards: the inverse, which is also the gradient with respect to q and k. */
  inverse: boolean;
  /** Shares that attention's gradient left: k becomes their sum, rotated, and v their sum. */
  shares?: KeyShares | undefined;
}

/** Rotates each pair (x[i], x[i + headDim/2]) of queries and keys by its position's angle. */
export function rope(stream: Stream, call: Rope): void {
  const { q, k, v = k, positions, table, tokens, heads, kvHeads, headDim, inverse, shares } = call;
  const split = shares && shares.parts > 1 ? shares : undefined;
  const parts = split?.parts ?? 0;
  const { whole, at } = spanOf([q, k, v]);
  const rows = tokens * (heads + (split ? 2 : 1) * kvHeads);
  stream.dispatch(kernel, {
    // Absent shares are bound to the table and never read.
    buffers: [positions, table, split?.dk ?? table, split?.dv ?? table, whole],
    bytes: 4 * tokens * headDim * (2 * heads + (split ? 2 * (parts + 1) : 2) * kvHeads),
    params: {
      ...{ tokens, heads, kv_heads: kvHeads, direction: inverse ? -1 : 1 },
      ...{ k_at: at[1]! / 8, v_at: at[2]! / 8, shares: parts },
    },
    groups: spread(ceilDiv((rows * headDim) / 4, 256)),
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
