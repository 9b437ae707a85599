import code from '../../../shaders/find_not_finite.wgsl';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import { type BufferView, type GpuBuffer, view } from '../memory.ts';
import type { Stream } from '../stream.ts';
import { type FloatFormat, FORMAT_CODE } from './shared/float-format.ts';

const kernel = new Kernel({
  name: 'find_not_finite',
  code,
  buffers: ['read', 'read_write'],
  params: { begin: 'u32', words: 'u32', place: 'u32' },
});

/** Words that a workgroup looks at. */
const WORDS = 4096;
/** Alignment of bindings, in bytes. */
const ALIGNMENT = 256;

interface FindNotFinite {
  /** Holds the values from byte `offset` on, a multiple of 4; halves of an odd count are followed by a zero. */
  buffer: GpuBuffer;
  offset: number;
  count: number;
  format: FloatFormat;
  /** u32: 0 at first; raised to 2³² − 1 − (place + index) for the first value that is not finite. */
  found: BufferView;
  place: number;
}

/** Finds the first NaN or infinity among values of one buffer. */
export function findNotFinite(stream: Stream, call: FindNotFinite): void {
  const { buffer, offset, count, format, found, place } = call;
  const words = format === 'f32' ? count : ceilDiv(count, 2);
  const begin = offset % ALIGNMENT;
  stream.dispatch(kernel, {
    buffers: [view(buffer, offset - begin, begin + 4 * words), found],
    params: { begin: begin / 4, words, place },
    groups: spread(ceilDiv(words, WORDS)),
    constants: { FORMAT: FORMAT_CODE[format] },
  });
}
