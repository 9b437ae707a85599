import code from '../../../../shaders/shared/row_scale.wgsl';
import { spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';

const kernel = new Kernel({
  name: 'row_scale',
  code,
  buffers: ['read', 'read_write'],
  params: { rows: 'u32', width: 'u32' },
});

/**
 * scales [rows] = powers of two that bring the largest magnitude of each row of x [rows, width] into [32, 64), so
 * that the row fits f16. width is a multiple of 4.
 */
export function rowScale(
  stream: Stream,
  call: { x: BufferView; scales: BufferView; rows: number; width: number },
): void {
  const { x, scales, rows, width } = call;
  stream.dispatch(kernel, { buffers: [x, scales], params: { rows, width }, groups: spread(rows) });
}
