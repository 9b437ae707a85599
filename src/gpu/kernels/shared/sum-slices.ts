import code from '../../../../shaders/shared/sum_slices.wgsl';
import { ceilDiv, spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { PARTS } from './parts.ts';

const PART = { count: 'u32', slices: 'u32', partial_at: 'u32', out_at: 'u32' } as const;

const kernel = new Kernel({
  name: 'sum_slices',
  code,
  buffers: ['read', 'read_write'],
  parts: { fields: PART, count: PARTS },
  params: { accumulate: 'u32' },
});

/** Bytes that a call moves: these views, and `values` f32 of a scratch that is bound whole. */
export const bytesBeside = (views: readonly BufferView[], values: number): number =>
  [...new Set(views)].reduce((sum, { size }) => sum + size, 4 * values);

/** One sum: `count` values in each of `slices` consecutive slices, and the offsets of input and output in f32. */
type SlicedSum = Record<keyof typeof PART, number>;

/**
 * out = the sums of up to three parts' slices, each in the order of its slices; with `accumulate`, they go on from what
 * is there.
 */
export function sumParts(
  stream: Stream,
  call: { partial: BufferView; out: BufferView; parts: readonly SlicedSum[]; accumulate: boolean },
): void {
  const { partial, out, parts, accumulate } = call;
  const [x, y] = spread(ceilDiv(Math.max(...parts.map(({ count }) => count)), 64));
  stream.dispatch(kernel, {
    buffers: [partial, out],
    parts,
    params: { accumulate: Number(accumulate) },
    groups: [x, y, parts.length],
    bytes: 4 * parts.reduce((sum, { count, slices }) => sum + count * (slices + (accumulate ? 2 : 1)), 0),
  });
}

interface Slices {
  slices: BufferView;
  y: BufferView;
  count: number;
  values: number;
}

/** y = the sum, in order, of `count` consecutive slices of `values` f32. */
export const sumSlices = (stream: Stream, call: Slices): void => addSlices(stream, { ...call, first: true });

/** The same, going on from y unless these are the first slices. */
export function addSlices(
  stream: Stream,
  { slices, y, count, values, first }: Slices & { first: boolean },
): void {
  const part = { count: values, slices: count, partial_at: 0, out_at: 0 };
  sumParts(stream, { partial: slices, out: y, parts: [part], accumulate: !first });
}
