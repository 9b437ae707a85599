import { afterAll, beforeAll, expect, it } from 'vitest';
import { openNodeGpu } from '../../../../src/cli/node-gpu.ts';
import { type PackedKernels, packedKernelsOf } from '../../../../src/gpu/kernels/linear/packed-operands.ts';
import { LM_HEADS, PACKED_HEAD } from '../../../../src/gpu/kernels/lm-head/index.ts';
import type { Table } from '../../../../src/gpu/kernels/lm-head/lm-head.ts';
import {
  dispatchPackedHead,
  dispatchPackedHeadGrad,
  packedHeadBytes,
  packedHeadScratch,
  packsHead,
} from '../../../../src/gpu/kernels/lm-head/packed.ts';
import { matmulRef, transpose } from '../../../reference/ops/matmul.ts';
import { f64, relativeError, TestGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';
import { packedWithoutMatrixUnits } from '../../../support/stand-ins.ts';

let t: TestGpu;
let kernels: PackedKernels;
let tolerance: number;

beforeAll(async () => {
  t = new TestGpu(await openNodeGpu());
  const real = LM_HEADS.find(({ name }) => name === PACKED_HEAD)!.supported(t.gpu);
  kernels = real ? packedKernelsOf(t.gpu) : packedWithoutMatrixUnits(t);
  tolerance = real ? 1e-3 : 1e-5;
});

afterAll(() => t.close());

// Several slabs, the last of them short, in several parts of the table; and one slab.
it.each([
  [137, 1100, 96, [390, 710], 256],
  [65, 260, 160, [260], undefined],
] as const)(
  'the head with its table packed: %i rows, %i words, width %i, parts %j, slabs of %s',
  async (rows, vocab, width, counts, slab) => {
    const random = new Random(Date.now());
    const bits = new Uint32Array(random.normals(vocab * width).buffer).map((b) => (b & 0xffff0000) >>> 0);
    const decoded = f64(new Float32Array(bits.buffer));
    let begin = 0;
    const parts = counts.map((count) => {
      const words = bits.slice(begin * width, (begin + count) * width);
      begin += count;
      return { view: t.upload(new Uint16Array(words.map((b) => b >>> 16))), begin: begin - count, count };
    });
    const table: Table = { parts, format: 'bf16', vocab, width };
    const x = random.normals(rows * width).map((v) => 1e6 * v);
    const gradScale = 1 / 4321;
    const dlogits = random.normals(rows * vocab).map((v) => gradScale * Math.tanh(v));
    const packed = t.output((packedHeadBytes(table) * kernels.halfBytes) / 8);
    expect(packsHead(table, 129, packed)).toBe(true);

    const call = { x: t.upload(x), table, rows, rowScales: t.output(rows), packed };
    const [logits, again] = [t.output(rows * vocab), t.output(rows * vocab)];
    dispatchPackedHead(t.stream, kernels, { ...call, logits }, slab);
    dispatchPackedHead(t.stream, kernels, { ...call, logits: again }, slab);
    const forward = matmulRef(f64(x), transpose(decoded, vocab, width), rows, width, vocab);
    expect(relativeError(await t.floats(logits), forward)).toBeLessThan(tolerance);
    expect(await t.words(again)).toEqual(await t.words(logits));

    const scratch = t.output(packedHeadScratch(rows, width));
    const back = { ...call, dlogits: t.upload(dlogits), scratch, gradScale };
    const [dx, dxAgain] = [t.output(rows * width), t.output(rows * width)];
    dispatchPackedHeadGrad(t.stream, kernels, { ...back, dx }, slab);
    dispatchPackedHeadGrad(t.stream, kernels, { ...back, dx: dxAgain }, slab);
    const backward = matmulRef(f64(dlogits), decoded, rows, vocab, width);
    expect(relativeError(await t.floats(dx), backward)).toBeLessThan(tolerance);
    expect(await t.words(dxAgain)).toEqual(await t.words(dx));
    expect(t.gpu.errors).toEqual([]);
  },
);

it('a table is left as it is for few rows, for want of scratch, in 32 bits or of an odd vocabulary', () => {
  const packed = t.output(64);
  const part = { view: t.output(64), begin: 0, count: 8 };
  const table: Table = { parts: [part], format: 'f16', vocab: 8, width: 32 };
  expect(packsHead(table, 129, packed)).toBe(true);
  expect(packsHead(table, 128, packed)).toBe(false);
  expect(packsHead(table, 129, undefined)).toBe(false);
  expect(packsHead({ ...table, format: 'f32' }, 129, packed)).toBe(false);
  expect(packsHead({ ...table, vocab: 9 }, 129, packed)).toBe(false);
});
