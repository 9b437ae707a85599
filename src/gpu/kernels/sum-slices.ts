import code from '../../../shaders/sum_slices.wgsl?raw';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { View } from '../memory.ts';
import type { Stream } from '../stream.ts';

const kernel = new Kernel({
  name: 'sum_slices',
  code,
  buffers: ['read', 'read_write'],
  params: { slices: 'u32', count4: 'u32' },
});

/** y = the sum of `count` slices of `values` f32 (a multiple of 4), which lie behind one another, in their order. */
export function sumSlices(
  stream: Stream,
  { slices, y, count, values }: { slices: View; y: View; count: number; values: number },
): void {
  stream.dispatch(kernel, {
    buffers: [slices, y],
    params: { slices: count, count4: values / 4 },
    groups: spread(ceilDiv(values / 4, 64)),
  });
}
