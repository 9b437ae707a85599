import code from '../../../shaders/gemm.wgsl?raw';
import { ceilDiv } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { View } from '../memory.ts';
import type { Stream } from '../stream.ts';

const kernel = new Kernel({
  name: 'gemm',
  code,
  buffers: ['read', 'read', 'read_write'],
  params: { rows: 'u32', columns: 'u32', depth: 'u32' },
});

/** c [rows, columns] = a [rows, depth]·b [depth, columns], all f32 row-major, of any shape; sums run in a fixed order. */
export function gemm(
  stream: Stream,
  call: { a: View; b: View; c: View; rows: number; columns: number; depth: number },
): void {
  const { a, b, c, rows, columns, depth } = call;
  stream.dispatch(kernel, {
    buffers: [a, b, c],
    params: { rows, columns, depth },
    groups: [ceilDiv(columns, 32), ceilDiv(rows, 32)],
    work: 2 * rows * columns * depth,
  });
}
