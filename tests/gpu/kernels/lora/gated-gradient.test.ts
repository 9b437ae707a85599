import { expect, it } from 'vitest';
import {
  dropoutKeep,
  dropoutKey,
  dropoutThreshold,
  moduleKey,
} from '../../../../src/gpu/kernels/lora/dropout-mask.ts';
import { loraGatedGradient } from '../../../../src/gpu/kernels/lora/gated-gradient.ts';
import { swigluBackward } from '../../../../src/gpu/kernels/swiglu.ts';
import { view } from '../../../../src/gpu/memory.ts';
import { dropoutRef } from '../../../reference/ops/dropout.ts';
import { add, matmulRef, transpose } from '../../../reference/ops/matmul.ts';
import { swigluBackwardRef, swigluRef } from '../../../reference/ops/swiglu.ts';
import { f64, relativeError, testGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';

// Tiles are of 32 columns and 32 ranks, chunks of 8 tokens, slices of 128; two slices at a time. A rank of 0: no pair.
const cases = [
  { tokens: 1, width: 4, down: 1, gate: 1, up: 1, rate: 0 },
  { tokens: 37, width: 68, down: 32, gate: 32, up: 32, rate: 0.3 },
  { tokens: 129, width: 36, down: 5, gate: 0, up: 31, rate: 0 },
  { tokens: 403, width: 132, down: 0, gate: 7, up: 0, rate: 0.1 },
  { tokens: 5 * 128 + 3, width: 100, down: 9, gate: 12, up: 3, rate: 0.05 },
];

it.each(cases)(
  'silu(gate)·up backward, and LoRA’s gradients at its columns: $tokens × $width, ranks $down, $gate, $up',
  async ({ tokens, width, down, gate: rankGate, up: rankUp, rate }) => {
    const t = await testGpu();
    const random = new Random(tokens * 31 + width);
    const wide = () => random.normals(tokens * width);
    const [gate, up, dout] = [wide(), wide(), wide()];
    const u = [rankGate, rankUp].map((rank) => random.normals(tokens * rank));
    const v = random.normals(tokens * down);
    const start = [down, rankGate, rankUp].map((rank) => random.normals(width * rank));
    const keys = Uint32Array.from({ length: 2 * tokens }, (_, i) =>
      i % 2 === 0 ? dropoutKey(7, 2, Math.floor(i / 20)) : (i - 1) / 2,
    );
    const key = moduleKey(3, 6);

    /** Arrays in one buffer, at multiples of 256 bytes. */
    const together = (arrays: Float32Array[]) => {
      const stride = 64 * Math.ceil(Math.max(1, ...arrays.map(({ length }) => length)) / 64);
      const all = new Float32Array(arrays.length * stride).fill(NaN);
      arrays.forEach((array, i) => all.set(array, i * stride));
      const { buffer } = t.upload(all);
      return arrays.map(({ length }, i) => view(buffer, 4 * i * stride, 4 * length));
    };
    const run = async () => {
      const io = { gate: t.upload(gate), up: t.upload(up), dout: t.upload(dout) };
      const [us, out] = [together(u), together(start)];
      const made = (rank: number, i: number) => (rank > 0 ? { u: us[i]!, dB: out[1 + i]!, rank } : undefined);
      loraGatedGradient(t.stream, {
        ...{ ...io, width, tokens },
        reads: down > 0 ? { v: t.upload(v), dA: out[0]!, rank: down, moduleKey: key } : undefined,
        makes: { gate: made(rankGate, 0), up: made(rankUp, 1) },
        dropout: rate > 0 ? { tokenKeys: t.upload(keys), rate } : undefined,
      });
      const views = [io.gate, io.up, ...out.filter(({ size }) => size > 0)];
      return Promise.all(views.map((one) => t.floats(one)));
    };

    const found = await run();
    const [dgate, dup] = [found[0]!, found[1]!];
    // To the bits of the kernel that does this alone.
    const apart = { gate: t.upload(gate), up: t.upload(up) };
    swigluBackward(t.stream, { ...apart, dout: t.upload(dout), n: tokens * width });
    expect(dgate).toEqual(await t.floats(apart.gate));
    expect(dup).toEqual(await t.floats(apart.up));

    const ref = swigluBackwardRef(f64(gate), f64(up), f64(dout));
    const product = dropoutRef(swigluRef(f64(gate), f64(up)), width, rate, (token, feature) =>
      dropoutKeep(keys[2 * token]!, key, keys[2 * token + 1]!, feature, dropoutThreshold(rate)),
    );
    const ofB = (d: Float64Array, narrow: Float32Array, rank: number) =>
      matmulRef(transpose(d, tokens, width), f64(narrow), width, tokens, rank);
    const expected = [
      ...(down > 0 ? [matmulRef(transpose(f64(v), tokens, down), product, down, tokens, width)] : []),
      ...(rankGate > 0 ? [ofB(ref.dgate, u[0]!, rankGate)] : []),
      ...(rankUp > 0 ? [ofB(ref.dup, u[1]!, rankUp)] : []),
    ];
    const begun = start.filter(({ length }) => length > 0);
    expect(found.length - 2).toBe(expected.length);
    for (const [i, sums] of expected.entries()) {
      expect(relativeError(found[2 + i]!, add(sums, f64(begun[i]!)))).toBeLessThan(1e-5);
    }
    expect(await run()).toEqual(found);
  },
);
