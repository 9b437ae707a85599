import code from '../../../shaders/argmax.wgsl';
import { spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { BufferView } from '../memory.ts';
import type { Stream } from '../stream.ts';

const kernel = new Kernel({
  name: 'argmax',
  code,
  buffers: ['read', 'read_write'],
  params: { rows: 'u32', vocab: 'u32' },
});

interface Argmax {
  /** [rows, vocab] */
  logits: BufferView;
  /** u32 [rows] */
  out: BufferView;
  rows: number;
  vocab: number;
}

/** out[r] = index of the largest logit of row r; among equal ones, the lowest index. */
export function argmax(stream: Stream, { logits, out, rows, vocab }: Argmax): void {
  stream.dispatch(kernel, {
    buffers: [logits, out],
    params: { rows, vocab },
    groups: spread(rows),
    bytes: 4 * rows * (vocab + 1),
  });
}
