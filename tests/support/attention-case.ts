import { expect } from 'vitest';
import {
  attentionDelta,
  type AttentionForward,
  type AttentionKeys,
  type AttentionQueries,
  attentionScratch,
} from '../../src/gpu/kernels/attention/attention.ts';
import { ATTENTION_CLASSES } from '../../src/gpu/kernels/attention/index.ts';
import { packedAttentionBytes } from '../../src/gpu/kernels/attention/packed-operands.ts';
import type { BufferView } from '../../src/gpu/memory.ts';
import { attentionBackwardRef, attentionRef } from '../reference/ops/attention.ts';
import { f64, type TestGpu } from './gpu.ts';
import { Random } from './random.ts';

/** A pass of attention. */
export interface AttentionCase {
  tokens: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Where documents begin, besides 0. */
  borders: number[];
}

/** Random inputs of a pass; `std`: of queries and keys. */
export function attentionInputs(
  { tokens, heads, kvHeads, headDim, borders }: AttentionCase,
  seed: number,
  std = 1,
) {
  const random = new Random(seed);
  const begins = [0, ...borders];
  const ends = [...borders, tokens];
  const ranges = new Uint32Array(2 * tokens);
  begins.forEach((begin, d) => {
    for (let i = begin; i < ends[d]!; i++) {
      ranges.set([begin, ends[d]!], 2 * i);
    }
  });
  return {
    q: random.normals(tokens * heads * headDim, std),
    k: random.normals(tokens * kvHeads * headDim, std),
    v: random.normals(tokens * kvHeads * headDim),
    dout: random.normals(tokens * heads * headDim),
    ranges,
    keyBegin: Array.from({ length: tokens }, (_, i) => ranges[2 * i]!),
    scale: headDim ** -0.5,
  };
}

export type AttentionInputs = ReturnType<typeof attentionInputs>;

/** What computes it. */
export interface AttentionWay {
  forward(call: AttentionForward): void;
  backwardKV(call: AttentionKeys): void;
  backwardQ(call: AttentionQueries): void;
}

/** Tokens that the buffers can hold after the pass, as in training: filled with NaN, not to be read or written. */
const SPARE = 64;

/** Forward and backward on the device. */
export async function runAttention(
  t: TestGpu,
  shape: AttentionCase,
  data: AttentionInputs,
  way: AttentionWay,
) {
  const { tokens, heads, kvHeads, headDim } = shape;
  const roomy = (values: Float32Array) => {
    const room = new Float32Array((values.length / tokens) * (tokens + SPARE)).fill(NaN);
    room.set(values);
    return t.upload(room);
  };
  const ranges = new Uint32Array(2 * (tokens + SPARE));
  ranges.set(data.ranges);
  const output = (width: number) => t.output((tokens + SPARE) * width);
  const [o, dq] = [output(heads * headDim), output(heads * headDim)];
  const [dk, dv] = [output(kvHeads * headDim), output(kvHeads * headDim)];
  const stats = output(2 * heads);
  const dout = roomy(data.dout);
  const call = {
    ...{ q: roomy(data.q), k: roomy(data.k), v: roomy(data.v), ranges: t.upload(ranges) },
    ...{ stats, tokens, heads, kvHeads, headDim, scale: data.scale },
  };
  const bytes = ATTENTION_CLASSES.map((part) => packedAttentionBytes(part, shape));
  // Room for packed operands, floats in the place of halves too.
  const scratch = t.output(Math.max(attentionScratch(tokens, shape), Math.max(...bytes) / 2));
  way.forward({ ...call, o, scratch });
  attentionDelta(t.stream, { o, dout, stats, tokens, heads, headDim });
  way.backwardKV({ ...call, dout, dk, dv, scratch });
  way.backwardQ({ ...call, dout, dq, scratch });
  const read = async (v: BufferView) => {
    const values = await t.floats(v);
    const used = (values.length / (tokens + SPARE)) * tokens;
    expect(values.subarray(used).every(Number.isNaN), 'rows behind the pass').toBe(true);
    return values.slice(0, used);
  };
  return {
    o: await read(o),
    stats: await read(stats),
    dq: await read(dq),
    dk: await read(dk),
    dv: await read(dv),
  };
}

/** The same in f64. */
export function attentionReference(shape: AttentionCase, data: AttentionInputs) {
  const [q, k, v, dout] = [f64(data.q), f64(data.k), f64(data.v), f64(data.dout)];
  const at = { ...shape, scale: data.scale, keyBegin: data.keyBegin };
  return { ...attentionRef(q, k, v, at), ...attentionBackwardRef(q, k, v, dout, at) };
}
