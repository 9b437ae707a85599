import code from '../../../../shaders/shared/row_scale.wgsl';
import { spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { type BufferView, spanOf } from '../../memory.ts';
import type { Stream } from '../../stream.ts';

const kernel = new Kernel({
  name: 'row_scale',
  code,
  buffers: ['read', 'read', 'read', 'read_write'],
  params: {
    ...{ rows: 'u32', width0: 'u32', width1: 'u32', width2: 'u32' },
    ...{ scales_at1: 'u32', scales_at2: 'u32' },
  } as const,
});

/** A matrix x [rows, width] and where its rows' scales go. width is a multiple of 4. */
export interface ScaledRows {
  x: BufferView;
  width: number;
  /** f32 [rows] */
  scales: BufferView;
}

/**
 * scales [rows] = powers of two that bring the largest magnitude of each row of x [rows, width] into [32, 64), so
 * that the row fits f16; of up to three matrices, whose scales are in one buffer.
 */
export function rowScales(stream: Stream, rows: number, parts: readonly ScaledRows[]): void {
  const [first, second = first!, third = first!] = parts;
  const { whole, at } = spanOf(parts.map(({ scales }) => scales));
  // The first begins where the span does.
  const [x = 1, y = 1] = spread(rows);
  stream.dispatch(kernel, {
    buffers: [first!.x, second.x, third.x, whole],
    params: {
      ...{ rows, width0: first!.width, width1: second.width, width2: third.width },
      ...{ scales_at1: (at[1] ?? 0) / 4, scales_at2: (at[2] ?? 0) / 4 },
    },
    groups: [x, y, parts.length],
    bytes: parts.reduce((sum, { width }) => sum + 4 * rows * (width + 1), 0),
  });
}

/** The same of one matrix. */
export function rowScale(
  stream: Stream,
  { x, scales, rows, width }: { x: BufferView; scales: BufferView; rows: number; width: number },
): void {
  rowScales(stream, rows, [{ x, width, scales }]);
}
