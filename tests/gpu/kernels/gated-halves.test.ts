import { expect, it } from 'vitest';
import { f16ToF32 } from '../../../src/formats/half.ts';
import { restoreGated, roundGated } from '../../../src/gpu/kernels/gated-halves.ts';
import { loraGatedGradient } from '../../../src/gpu/kernels/lora/gated-gradient.ts';
import { LORA_SCRATCH, loraProject } from '../../../src/gpu/kernels/lora/project.ts';
import { view } from '../../../src/gpu/memory.ts';
import { halfRef } from '../../reference/ops/half.ts';
import { testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

const bits = (values: Float32Array): string => Buffer.from(values.buffer).toString('hex');

/** Numbers of every size: ties, both sides of them, f16's ends, what is no number, and random bits. */
function numbers(random: Random, n: number): Float32Array {
  const ends = [0, -0, 65504, 65519.99, 65520, 1e30, -1e30, Infinity, -Infinity, NaN, 2 ** -14, 2 ** -24];
  const ties = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 3 * 2 ** -25, 2 ** -14 - 2 ** -25, 4095.5, -2049];
  const around = ties.flatMap((tie) => [tie, tie * (1 + 2 ** -20), tie * (1 - 2 ** -20), -tie]);
  const all = Float32Array.from({ length: n }, () => random.normal() * 2 ** random.integer(-30, 20));
  all.set([...ends, ...around]);
  return all;
}

it('rounds gate and up to f16 as arithmetic does, in place and saved, and past its range to infinity', async () => {
  const t = await testGpu();
  const random = new Random(1930);
  const n = 4 * 1027;
  const given = [numbers(random, n), numbers(random, n).reverse()] as const;
  // f32 below its least normal number may count as zero.
  expect(given[0].every((x) => x === 0 || !(Math.abs(x) < 2 ** -126))).toBe(true);
  const [gate, up] = given.map((values) => t.upload(values));
  const saved = t.output(n);
  roundGated(t.stream, { gate: gate!, up: up!, halves: { saved }, n, scratch: t.output(128) });
  const expected = given.map((values) => values.map(halfRef));
  expect(expected.flatMap((values) => [...values]).filter((x) => !Number.isFinite(x)).length).toBeGreaterThan(
    9,
  );
  expect(await t.floats(gate!)).toEqual(expected[0]);
  expect(await t.floats(up!)).toEqual(expected[1]);
  const halves = f16ToF32(await t.bytes(saved));
  expect(halves.length).toBe(2 * n);
  for (let i = 0; i < n; i++) {
    const at = 8 * Math.floor(i / 4) + (i % 4);
    expect(Object.is(halves[at], expected[0]![i]) && Object.is(halves[at + 4], expected[1]![i]), `${i}`).toBe(
      true,
    );
  }
  const [again, upAgain] = [t.output(n), t.output(n)];
  restoreGated(t.stream, { saved, gate: again, up: upAgain, n });
  expect(await t.floats(again)).toEqual(expected[0]);
  expect(await t.floats(upAgain)).toEqual(expected[1]);
});

// 250 rows in two tiles of ranks: one workgroup takes all of the depth; fewer are rounded first.
it.each([250, 37])(
  'LoRA’s product of %i rows is that of gate and up rounded first, saved or not',
  async (rows) => {
    const t = await testGpu();
    const random = new Random(rows);
    const [depth, rank] = [140, 33];
    const w = t.upload(random.normals(depth * rank));
    const given = [1, 300].map((std) => random.normals(rows * depth, std));
    const scratch = t.output(LORA_SCRATCH);
    const tokenKeys = t.upload(Uint32Array.from({ length: 2 * rows }, () => random.u32()));
    const run = async (how: { first?: boolean; saved?: boolean; unstored?: boolean }) => {
      const [gate, up] = given.map((values) => t.upload(values));
      const [x, out, saved] = [t.output(rows * depth), t.output(rows * rank), t.output(rows * depth)];
      const halves = { saved: how.saved ? saved : undefined };
      const gated = { gate: gate!, up: up!, halves };
      if (how.first) {
        roundGated(t.stream, { ...gated, n: rows * depth, scratch });
      }
      loraProject(t.stream, {
        parts: [{ x, w, out, depth, rank, alpha: 0.7 }],
        ...{ rows, wByRank: false, scratch, unstored: how.unstored },
        gated: how.first ? { gate: gate!, up: up! } : gated,
        dropout: { tokenKeys, rate: 0.1, moduleKeys: [77] },
      });
      return {
        x: bits(await t.floats(x)),
        out: bits(await t.floats(out)),
        saved: bits(await t.floats(saved)),
      };
    };
    const expected = await run({ first: true, saved: true });
    expect(await run({ saved: true })).toEqual(expected);
    const { saved, ...others } = expected;
    const empty = bits(new Float32Array(rows * depth).fill(NaN));
    expect(saved).not.toBe(empty);
    expect(await run({})).toEqual({ ...others, saved: empty });
    expect((await run({ unstored: true })).out).toBe(expected.out);
    // Past f16's range nothing is cut off in silence.
    const large = given.map((values) => values.with(0, 1e5));
    const [gate, up] = large.map((values) => t.upload(values));
    const [x, out] = [t.output(rows * depth), t.output(rows * rank)];
    loraProject(t.stream, {
      parts: [{ x, w, out, depth, rank, alpha: 0.7 }],
      ...{ rows, wByRank: false, scratch, gated: { gate: gate!, up: up!, halves: { saved: undefined } } },
    });
    const sums = await t.floats(out);
    expect(sums.findIndex(Number.isFinite)).toBe(rank);
  },
);

it.each([
  { tokens: 3, width: 36, rank: 1 },
  { tokens: 389, width: 100, rank: 31 },
])('gradients at $tokens × $width are those of gate and up rounded first, saved or not', async (size) => {
  const t = await testGpu();
  const { tokens, width, rank } = size;
  const random = new Random(tokens);
  const n = tokens * width;
  const given = [random.normals(n, 3), random.normals(n, 40)];
  const dout = t.upload(random.normals(n));
  const [u, v] = [2, 1].map((count) => random.normals(count * tokens * 64 * Math.ceil(rank / 64)));
  const start = random.normals(3 * 64 * Math.ceil((width * rank) / 64));
  const run = async (how: 'first' | 'saved' | 'recomputed' | 'exact') => {
    const [gate, up, saved] = [...given.map((values) => t.upload(values)), t.output(n)];
    const scratch = t.output(128);
    const io = { gate: gate!, up: up!, n, scratch };
    if (how === 'first' || how === 'saved') {
      roundGated(t.stream, { ...io, halves: { saved: saved! } });
    }
    // Where the halves are read, gate and up may hold anything.
    const [dgate, dup] = how === 'saved' ? [t.output(n), t.output(n)] : [gate!, up!];
    const [us, out] = [t.upload(u!), t.upload(start)];
    const [narrow, wide] = [us.size / 2, out.size / 3];
    const part = (i: number) => view(out.buffer, i * wide, 4 * width * rank);
    const made = (i: number) => ({
      u: view(us.buffer, i * narrow, 4 * tokens * rank),
      dB: part(1 + i),
      rank,
    });
    loraGatedGradient(t.stream, {
      ...{ gate: dgate, up: dup, dout, width, tokens },
      ...((how === 'saved' || how === 'recomputed') && {
        halves: { saved: how === 'saved' ? saved : undefined },
      }),
      reads: { v: t.upload(v!), dA: part(0), rank },
      makes: { gate: made(0), up: made(1) },
    });
    return Promise.all([dgate, dup, out].map(async (one) => bits(await t.floats(one))));
  };
  const expected = await run('first');
  expect(await run('saved')).toEqual(expected);
  expect(await run('recomputed')).toEqual(expected);
  // f16 shows.
  expect(await run('exact')).not.toEqual(expected);
});
