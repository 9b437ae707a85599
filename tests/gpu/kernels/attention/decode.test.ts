import { describe, expect, it } from 'vitest';
import {
  attentionDecode,
  attentionDecodeScratch,
  cacheWrite,
} from '../../../../src/gpu/kernels/attention/decode.ts';
import { attentionRef } from '../../../reference/ops/attention.ts';
import { f64, relativeError, type TestGpu, testGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';

interface Case {
  /** Keys of each sequence. */
  lengths: number[];
  heads: number;
  kvHeads: number;
  headDim: number;
}

const cases: Case[] = [
  { lengths: [1], heads: 1, kvHeads: 1, headDim: 4 },
  { lengths: [1, 15, 16, 17], heads: 7, kvHeads: 1, headDim: 36 },
  { lengths: [63, 64, 65, 2], heads: 14, kvHeads: 2, headDim: 64 },
  { lengths: [127, 128, 129, 5], heads: 4, kvHeads: 2, headDim: 8 },
  { lengths: [257, 1, 100], heads: 6, kvHeads: 1, headDim: 128 },
  { lengths: [4099], heads: 2, kvHeads: 1, headDim: 80 },
];

/** Unused slots lie before, between and after the sequences. */
const GAP = 3;

function inputs({ lengths, heads, kvHeads, headDim }: Case, seed: number, std = 1) {
  const random = new Random(seed);
  const begins = lengths.map((_, s) => lengths.slice(0, s).reduce((sum, n) => sum + n + GAP, GAP));
  const slots = begins.at(-1)! + lengths.at(-1)! + GAP;
  const kv = () => {
    const cache = new Float32Array(slots * kvHeads * headDim).fill(NaN);
    lengths.forEach((n, s) =>
      cache.set(random.normals(n * kvHeads * headDim, std), begins[s]! * kvHeads * headDim),
    );
    return cache;
  };
  const q = random.normals(lengths.length * heads * headDim, std);
  const ranges = Uint32Array.from(lengths.flatMap((n, s) => [begins[s]!, begins[s]! + n]));
  return { q, k: kv(), v: kv(), ranges, scale: headDim ** -0.5 };
}

async function run(
  t: TestGpu,
  shape: Case,
  data: ReturnType<typeof inputs>,
  capacity = Math.max(...shape.lengths),
): Promise<Float32Array> {
  const o = t.output(data.q.length);
  const views = {
    q: t.upload(data.q),
    k: t.upload(data.k),
    v: t.upload(data.v),
    ranges: t.upload(data.ranges),
  };
  const { heads, kvHeads, headDim } = shape;
  const sequences = shape.lengths.length;
  const scratch = t.output(attentionDecodeScratch({ sequences, capacity, heads, headDim }));
  const call = { sequences, capacity, heads, kvHeads, headDim, scale: data.scale };
  attentionDecode(t.stream, { ...views, o, scratch, ...call });
  return t.floats(o);
}

/** The last token's row of causal attention over each sequence. */
function reference(
  { lengths, heads, kvHeads, headDim }: Case,
  data: ReturnType<typeof inputs>,
): Float64Array {
  const width = heads * headDim;
  const out = new Float64Array(data.q.length);
  lengths.forEach((tokens, s) => {
    const rows = (cache: Float32Array) =>
      f64(cache.subarray(...[0, 1].map((end) => data.ranges[2 * s + end]! * kvHeads * headDim)));
    // The tokens before the last one do not matter: they attend to themselves only.
    const keyBegin = Array.from({ length: tokens }, (_, i) => (i === tokens - 1 ? 0 : i));
    const q = new Float64Array(tokens * width);
    q.set(data.q.subarray(s * width, (s + 1) * width), (tokens - 1) * width);
    const shape = { tokens, heads, kvHeads, headDim, scale: data.scale, keyBegin };
    out.set(attentionRef(q, rows(data.k), rows(data.v), shape).o.subarray(-width), s * width);
  });
  return out;
}

describe.each(cases)('decoding over $lengths keys, heads $heads/$kvHeads of $headDim', (shape) => {
  const data = inputs(shape, shape.headDim);

  it('matches the f64 reference', async () => {
    expect(relativeError(await run(await testGpu(), shape, data), reference(shape, data))).toBeLessThan(1e-5);
  });

  it('gives the same bits twice', async () => {
    const t = await testGpu();
    expect(await run(t, shape, data)).toEqual(await run(t, shape, data));
  });
});

it('gives the same bits however long a sequence may become', async () => {
  const t = await testGpu();
  const shape = { lengths: [100, 7], heads: 4, kvHeads: 2, headDim: 64 };
  const data = inputs(shape, 8);
  expect(await run(t, shape, data, 1000)).toEqual(await run(t, shape, data));
});

it('stays finite and right with scores beyond ±60', async () => {
  const shape = { lengths: [150], heads: 2, kvHeads: 2, headDim: 64 };
  const data = inputs(shape, 9, 5);
  expect(relativeError(await run(await testGpu(), shape, data), reference(shape, data))).toBeLessThan(1e-5);
});

it('cacheWrite puts each token into its slot', async () => {
  const t = await testGpu();
  const random = new Random(10);
  const [x, before] = [random.normals(3 * 8), random.normals(7 * 8)];
  const cache = t.upload(before);
  const slots = t.upload(Uint32Array.of(6, 0, 3));
  cacheWrite(t.stream, { x: t.upload(x), slots, cache, tokens: 3, width: 8 });
  const expected = before.slice();
  [6, 0, 3].forEach((slot, i) => expected.set(x.subarray(8 * i, 8 * i + 8), 8 * slot));
  expect(await t.floats(cache)).toEqual(expected);
});
