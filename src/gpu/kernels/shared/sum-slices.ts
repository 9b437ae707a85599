import code from '../../../../shaders/shared/sum_slices.wgsl?raw';
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

/** Bytes of a call that takes these views, and of a scratch that is bound whole so many f32. */
export const bytesBeside = (views: readonly BufferView[], values: number): number =>
  [...new Set(views)].reduce((sum, { size }) => sum + size, 4 * values);

/** One sum: `count` values of each of the `slices`, which lie behind one another, and where they begin, in f32. */
export type SlicedSum = Record<keyof typeof PART, number>;

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

/** y = the sum of `count` slices of `values` f32, which lie behind one another, in their order. */
export function sumSlices(
  stream: Stream,
  { slices, y, count, values }: { slices: BufferView; y: BufferView; count: number; values: number },
): void {
  const part = { count: values, slices: count, partial_at: 0, out_at: 0 };
  sumParts(stream, { partial: slices, out: y, parts: [part], accumulate: false });
}
