import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import {
  PACKED_ATTENTION,
  PACKED_KEYS,
  PACKED_QUERIES,
  packedAttentionForward,
  packedAttentionKeys,
  packedAttentionQueries,
} from '../../src/gpu/kernels/attention/packed.ts';
import {
  ATTENTION_TEXTS,
  attentionGrid,
  attentionKernel,
  backwardKernel,
  dispatchAttention,
  dispatchKeys,
  dispatchQueries,
  headDimText,
  MATRIX_FORWARD,
  MATRIX_KEYS,
  MATRIX_QUERIES,
} from '../../src/gpu/kernels/attention/subgroup-matrix.ts';
import {
  type AttentionCase as Case,
  type AttentionInputs as Inputs,
  attentionInputs as inputs,
  attentionReference as reference,
  type AttentionWay as Way,
  runAttention,
} from './attention-case.ts';
import { relativeError, TestGpu } from './gpu.ts';
import { packedAttentionWithoutMatrixUnits, STAND_IN_SHAPE, withoutMatrixUnits } from './stand-ins.ts';

let t: TestGpu;
let real: boolean;

/** Maximum operations of a dispatch: so few that longer passes are split into several. */
const MOST = 1e6;

/** Operands packed as they are used, or once a pass. */
type Kind = 'matrices' | 'packed operands';
const ways = new Map<string, Way>();

/** On the device's subgroup matrices, otherwise with arrays in their place. */
function wayHere(kind: Kind, headDim: number): Way {
  const key = `${kind}, ${headDim}`;
  let way = ways.get(key);
  if (!way) {
    const standIns = kind === 'matrices' ? onStandIns : packedOnStandIns;
    ways.set(key, (way = real ? onUnits(kind) : standIns(headDim)));
  }
  return way;
}

function onUnits(kind: Kind): Way {
  const [forward, keys, queries] =
    kind === 'matrices'
      ? [MATRIX_FORWARD, MATRIX_KEYS, MATRIX_QUERIES]
      : [PACKED_ATTENTION, PACKED_KEYS, PACKED_QUERIES];
  return {
    forward: (call) => forward.dispatch(t.stream, call, MOST),
    backwardKV: (call) => keys.dispatch(t.stream, call, MOST),
    backwardQ: (call) => queries.dispatch(t.stream, call, MOST),
  };
}

function packedOnStandIns(headDim: number): Way {
  const kernels = packedAttentionWithoutMatrixUnits(t, headDim);
  return {
    forward: (call) => packedAttentionForward(t.stream, kernels, { ...call, scratch: call.scratch! }, MOST),
    backwardKV: (call) => packedAttentionKeys(t.stream, kernels, call, MOST),
    backwardQ: (call) => packedAttentionQueries(t.stream, kernels, { ...call, scratch: call.scratch! }, MOST),
  };
}

function onStandIns(headDim: number): Way {
  const { device } = t.gpu;
  const { subgroupMinSize } = device.adapterInfo as GPUAdapterInfo & { subgroupMinSize: number };
  const room = {
    subgroupSize: subgroupMinSize,
    bytes: device.limits.maxComputeWorkgroupStorageSize,
    invocations: device.limits.maxComputeInvocationsPerWorkgroup,
    halfBytes: 4,
  };
  const made = (name: keyof typeof ATTENTION_TEXTS) => {
    const grid = attentionGrid(name, headDim, STAND_IN_SHAPE, room);
    if (!grid) {
      throw new Error(`${name}: no room`);
    }
    const code = withoutMatrixUnits(t, grid, headDimText(headDim) + ATTENTION_TEXTS[name].code);
    return { code, rows: 2 * STAND_IN_SHAPE.M * grid.down };
  };
  const forward = made('forward');
  const kv = made('backwardKV');
  const q = made('backwardQ');
  const forwardOne = { ...forward, kernel: attentionKernel('forward', forward.code) };
  const kvOne = { ...kv, kernel: backwardKernel('backwardKV', 'kv', kv.code) };
  const qOne = { ...q, kernel: backwardKernel('backwardQ', 'q', q.code) };
  return {
    forward: (call) => dispatchAttention(t.stream, forwardOne, call, MOST),
    backwardKV: (call) => dispatchKeys(t.stream, kvOne, call, MOST),
    backwardQ: (call) => dispatchQueries(t.stream, qOne, call, MOST),
  };
}

// Tiles are sixteen rows of one side and 16 to 64 of the other.
const cases: Case[] = [
  { tokens: 16, heads: 2, kvHeads: 2, headDim: 64, borders: [] },
  { tokens: 33, heads: 6, kvHeads: 2, headDim: 64, borders: [1, 17] },
  { tokens: 65, heads: 7, kvHeads: 1, headDim: 64, borders: [40, 41] },
  // Enough key heads that seven query heads are split into two, two, two and one.
  { tokens: 5, heads: 448, kvHeads: 64, headDim: 64, borders: [2] },
  { tokens: 70, heads: 6, kvHeads: 2, headDim: 128, borders: [23] },
];

/** Forward and backward on the device. */
const run = (kind: Kind, shape: Case, data: Inputs) =>
  runAttention(t, shape, data, wayHere(kind, shape.headDim));

/** Relative errors of everything. */
async function errors(kind: Kind, shape: Case, data: Inputs) {
  const out = await run(kind, shape, data);
  const ref = reference(shape, data);
  const lse = out.stats.filter((_, i) => i % 2 === 0);
  const one = {
    o: relativeError(out.o, ref.o),
    lse: relativeError(lse, ref.lse),
    dv: relativeError(out.dv, ref.dv),
    dq: relativeError(out.dq, ref.dq),
    dk: relativeError(out.dk, ref.dk),
  };
  return one;
}

/**
 * Like Qwen2.5's: a few channels of k with a bias of hundreds that rotates with the position, large ones of q and
 * v.
 */
function withOutliers(data: Inputs, { heads, kvHeads, headDim }: Case): void {
  const each = (
    values: Float32Array,
    width: number,
    change: (value: number, c: number, row: number) => number,
  ) =>
    values.forEach((value, i) => (values[i] = change(value, i % headDim, Math.floor(i / (width * headDim)))));
  each(data.k, kvHeads, (x, c, i) => x + (c === 5 ? 300 * Math.cos(i / 90) : c === 40 ? -120 : 0));
  each(data.q, heads, (x, c) => (c === 5 ? 10 * x : c === 40 ? x + 15 : x));
  each(data.v, kvHeads, (x, c) => (c === 9 ? 20 * x : x));
}

/** Scores, values and gradients that grow along the pass: the errors' reference must follow. */
function rising(data: Inputs, { tokens, heads, kvHeads, headDim }: Case): void {
  const grow = (values: Float32Array, width: number, to: number) =>
    values.forEach((value, i) => (values[i] = value * to ** (Math.floor(i / (width * headDim)) / tokens)));
  grow(data.k, kvHeads, 30);
  grow(data.v, kvHeads, 2 ** 12);
  grow(data.dout, heads, 2 ** 20);
}

/** Errors of what keeps its low halves throughout, and of sums over queries, whose operands are plain halves. */
const EXACT = 2e-5;
const HALVES = 1e-3;

async function expectRight(kind: Kind, shape: Case, data: Inputs, exact = EXACT): Promise<void> {
  const found = await errors(kind, shape, data);
  for (const name of ['o', 'lse', 'dq'] as const) {
    expect(found[name], name).toBeLessThan(exact);
  }
  for (const name of ['dv', 'dk'] as const) {
    expect(found[name], name).toBeLessThan(HALVES);
  }
}

/** Attention on subgroup matrices, or on arrays in their place, against the f64 reference. */
export function testOnMatrices(kind: Kind): void {
  beforeAll(async () => {
    t = new TestGpu(await openNodeGpu());
    real = [PACKED_ATTENTION, PACKED_KEYS, PACKED_QUERIES].every((one) => one.supported(t.gpu));
  });

  afterAll(() => t.close());

  describe.each(cases)(
    `attention on ${kind} of $tokens tokens, heads $heads/$kvHeads of $headDim, documents from $borders`,
    (shape) => {
      it('matches the f64 reference forward and backward', async ({ skip }) => {
        if (shape.headDim === 128 && !real) {
          return skip('floats in the place of halves do not fit, or take too long to compile');
        }
        await expectRight(kind, shape, inputs(shape, shape.tokens * 1000 + shape.heads));
      });
    },
  );

  describe(`attention on ${kind}`, () => {
    const shape: Case = { tokens: 97, heads: 4, kvHeads: 2, headDim: 64, borders: [50] };

    it('a lone token gets its value; its dv is the sum of its gradients', async () => {
      const lone: Case = { tokens: 1, heads: 2, kvHeads: 1, headDim: 64, borders: [] };
      const data = inputs(lone, 5);
      const out = await run(kind, lone, data);
      expect(relativeError(out.o, [...data.v, ...data.v])).toBeLessThan(EXACT);
      const sums = Array.from({ length: 64 }, (_, c) => data.dout[c]! + data.dout[64 + c]!);
      expect(relativeError(out.dv, sums)).toBeLessThan(HALVES);
    });

    it('gives the same bits twice', async () => {
      const data = inputs(shape, 1);
      rising(data, shape);
      expect(await run(kind, shape, data)).toEqual(await run(kind, shape, data));
    });

    it('stays right with outliers among channels, scores in the hundreds and gradients of 1e-6', async () => {
      const data = inputs(shape, 2);
      withOutliers(data, shape);
      data.dout.forEach((value, i) => (data.dout[i] = 1e-6 * value));
      expect(Math.max(...reference(shape, data).lse)).toBeGreaterThan(100);
      await expectRight(kind, shape, data, 2e-4);
    });

    it('stays right where scores, values and gradients rise', async () => {
      const data = inputs(shape, 3);
      rising(data, shape);
      await expectRight(kind, shape, data);
    });

    it('a document does not feel its neighbors', async () => {
      const data = inputs(shape, 4);
      const other = inputs(shape, 5);
      // The second document, after a different first one.
      const from = (n: number) => (n / shape.tokens) * 50;
      for (const name of ['q', 'k', 'v', 'dout'] as const) {
        other[name].set(data[name].subarray(from(data[name].length)), from(data[name].length));
      }
      const [a, b] = [await run(kind, shape, data), await run(kind, shape, other)];
      for (const name of ['o', 'dq', 'dk', 'dv'] as const) {
        const begin = from(a[name].length);
        expect(relativeError(a[name].subarray(begin), b[name].subarray(begin)), name).toBeLessThan(1e-5);
        expect(relativeError(a[name].subarray(0, begin), b[name].subarray(0, begin))).toBeGreaterThan(0.1);
      }
    });
  });
}
