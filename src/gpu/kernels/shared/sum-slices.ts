import code from '../../../../shaders/shared/sum_slices.wgsl';
import { ceilDiv, spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { paramsOf, valuesOf } from './parts.ts';

const PART = { count: 'u32', slices: 'u32', partial_at: 'u32', out_at: 'u32' } as const;

const kernel = new Kernel({
  name: 'sum_slices',
  code,
  buffers: ['read', 'read_write'],
  params: paramsOf(PART, { accumulate: 'u32' }),
});

/** Bytes that a call moves: these views, and `values` f32 of a scratch that is bound whole. */
export const bytesBeside = (views: readonly BufferView[], values: number): number =>
  [...new Set(views)].reduce((sum, { size }) => sum + size, 4 * values);

/** One sum: `count` values in each of `slices` consecutive slices, and the offsets of input and output in f32. */
type SlicedSum = Record<keyof typeof PART, number>;

/** out = (or, with `accumulate`, +=) the sums of up to three parts' slices, each in the order of its slices. */
export function sumParts(
  stream: Stream,
  call: { partial: BufferView; out: BufferView; parts: readonly SlicedSum[]; accumulate: boolean },
): void {
  const { partial, out, parts, accumulate } = call;
  const [x, y] = spread(ceilDiv(Math.max(...parts.map(({ count }) => count)), 64));
  stream.dispatch(kernel, {
    buffers: [partial, out],
    params: { ...valuesOf(PART, parts), accumulate: Number(accumulate) },
    groups: [x, y, parts.length],
    bytes: 4 * parts.reduce((sum, { count, slices }) => sum + count * (slices + (accumulate ? 2 : 1)), 0),
  });
}

/** y = the sum, in order, of `count` consecutive slices of `values` f32. */
export function sumSlices(
  stream: Stream,
  { slices, y, count, values }: { slices: BufferView; y: BufferView; count: number; values: number },
): void {
  const part = { count: values, slices: count, partial_at: 0, out_at: 0 };
  sumParts(stream, { partial: slices, out: y, parts: [part], accumulate: false });
}
