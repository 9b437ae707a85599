import code from '../../../shaders/gemm.wgsl?raw';
import { ceilDiv } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { View } from '../memory.ts';
import type { Stream } from '../stream.ts';

const kernel = new Kernel({
  name: 'gemm',
  code,
  buffers: ['read', 'read', 'read_write'],
  params: {
    rows: 'u32',
    columns: 'u32',
    depth: 'u32',
    a_row: 'u32',
    a_depth: 'u32',
    b_column: 'u32',
    b_depth: 'u32',
    alpha: 'f32',
    accumulate: 'u32',
  },
});

/** c [rows, columns] = (or, with `accumulate`, +=) alpha·op(a)·op(b), all f32 row-major. */
export interface Gemm {
  /** [rows, depth], or [depth, rows] where `transposeA`. */
  a: View;
  transposeA?: boolean;
  /** [depth, columns], or [columns, depth] where `transposeB`. */
  b: View;
  transposeB?: boolean;
  c: View;
  rows: number;
  columns: number;
  depth: number;
  alpha?: number;
  accumulate?: boolean;
}

/** A product of two f32 matrices of any shape; sums run in a fixed order. */
export function gemm(stream: Stream, call: Gemm): void {
  const { a, b, c, rows, columns, depth, transposeA = false, transposeB = false } = call;
  stream.dispatch(kernel, {
    buffers: [a, b, c],
    params: {
      rows,
      columns,
      depth,
      a_row: transposeA ? 1 : depth,
      a_depth: transposeA ? rows : 1,
      b_column: transposeB ? depth : 1,
      b_depth: transposeB ? 1 : columns,
      alpha: call.alpha ?? 1,
      accumulate: Number(call.accumulate ?? false),
    },
    groups: [ceilDiv(columns, 32), ceilDiv(rows, 32)],
    constants: { A_BY_DEPTH: Number(!transposeA), B_BY_DEPTH: Number(transposeB) },
    work: 2 * rows * columns * depth,
  });
}
