import code from '../../../shaders/add_to.wgsl?raw';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { View } from '../memory.ts';
import type { Stream } from '../stream.ts';

const kernel = new Kernel({
  name: 'add_to',
  code,
  buffers: ['read', 'read_write'],
  params: { n4: 'u32' },
});

/** y += x over `n` f32, a multiple of 4. */
export function addTo(stream: Stream, { x, y, n }: { x: View; y: View; n: number }): void {
  stream.dispatch(kernel, { buffers: [x, y], params: { n4: n / 4 }, groups: spread(ceilDiv(n, 1024)) });
}
