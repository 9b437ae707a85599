import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../../../src/formats/byte-source.ts';
import { signedDynamicMap, unsignedDynamicMap } from '../../../../src/formats/nf4.ts';
import { openSafetensors, readTensor, readTensorF32 } from '../../../../src/formats/safetensors.ts';
import {
  type Adamw8bit,
  adamw8bit,
  type Adamw32,
  adamw32,
  adamwFactors,
  adamwMaps,
  initialMCode,
} from '../../../../src/gpu/kernels/optimizer/adamw8bit.ts';
import { adamw8bitRef, type Adamw8bitState, adamwRef } from '../../../reference/ops/adamw8bit.ts';
import { f64, relativeError, testGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';

const maps = adamwMaps();
const signed = signedDynamicMap();
const unsigned = unsignedDynamicMap();
const settings = { step: 7, learningRate: 0.02, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.5 };
const sizes = [1, 255, 256, 257, 4096, 4099, 256 * 67];

const blocksOf = (n: number): number => Math.ceil(n / 256);

/** The values, filled up with zeros to whole blocks. */
function padded(values: Float32Array): Float32Array {
  const out = new Float32Array(256 * blocksOf(values.length));
  out.set(values);
  return out;
}

/** The codes, filled up with that of zero to whole blocks. */
function paddedCodes(codes: Uint8Array, zero: number): Uint8Array {
  const out = new Uint8Array(256 * blocksOf(codes.length)).fill(zero);
  out.set(codes);
  return out;
}

/** Gradients of very different size within a block, so that codes over the whole map occur. */
function gradients(random: Random, n: number): Float32Array {
  return Float32Array.from({ length: n }, () => random.normal() * 10 ** (-8 * random.uniform()));
}

/** A state in mid-training: every code, scales around the gradients'. */
function midway(random: Random, n: number): Adamw8bitState {
  const codes = (pick: () => number): Uint8Array => Uint8Array.from({ length: n }, pick);
  const scales = (std: number): Float32Array =>
    Float32Array.from({ length: blocksOf(n) }, () => std * (0.5 + random.uniform()));
  return {
    weights: random.normals(n, 0.1),
    mCodes: codes(() => random.pick([random.integer(0, 255), random.integer(124, 130)])),
    vCodes: codes(() => random.integer(0, 255)),
    mAbsmax: scales(0.1),
    vAbsmax: scales(0.01),
  };
}

type On = Omit<Adamw8bit, 'factors'>;

async function upload(state: Adamw8bitState, grads: Float32Array, control: readonly number[]): Promise<On> {
  const t = await testGpu();
  return {
    weights: t.upload(padded(Float32Array.from(state.weights))),
    grads: t.upload(padded(grads)),
    mCodes: t.upload(paddedCodes(state.mCodes, initialMCode)),
    vCodes: t.upload(paddedCodes(state.vCodes, 0)),
    mAbsmax: t.upload(Float32Array.from(state.mAbsmax)),
    vAbsmax: t.upload(Float32Array.from(state.vAbsmax)),
    maps: t.upload(maps),
    control: t.upload(Float32Array.from(control)),
    blocks: blocksOf(grads.length),
  };
}

async function download(on: On) {
  const t = await testGpu();
  return {
    weights: await t.floats(on.weights),
    grads: await t.floats(on.grads),
    mCodes: await t.bytes(on.mCodes),
    vCodes: await t.bytes(on.vCodes),
    mAbsmax: await t.floats(on.mAbsmax),
    vAbsmax: await t.floats(on.vAbsmax),
  };
}

/** How many codes differ; each must be the neighbor across a threshold that the value sits on. */
function ties(
  out: Uint8Array,
  ref: Uint8Array,
  values: Float64Array,
  absmax: ArrayLike<number>,
  map: Float32Array,
) {
  let count = 0;
  ref.forEach((code, i) => {
    if (out[i] === code) {
      return;
    }
    count++;
    const threshold = (map[code]! + map[out[i]!]!) / 2;
    const x = values[i]! / absmax[Math.floor(i / 256)]!;
    if (Math.abs(out[i]! - code) !== 1 || Math.abs(x - threshold) > 1e-5 * Math.abs(threshold)) {
      throw new Error(`element ${i}: code ${out[i]}, expected ${code} for ${x}`);
    }
  });
  return count;
}

it('starts from the code that the signed map gives to zero', () => {
  expect(Object.is(signed[initialMCode], 0)).toBe(true);
  expect(Object.is(unsigned[0], 0)).toBe(true);
  expect([...maps]).toEqual([...signed, ...unsigned]);
});

describe.each(sizes)('8-bit AdamW over %i values', (n) => {
  const random = new Random(n);
  const state = midway(random, n);
  const grads = gradients(random, n);
  const clip = 0.37;
  const expected = adamw8bitRef(
    state,
    f64(grads).map((g) => g * clip),
    signed,
    unsigned,
    settings,
  );

  it('matches the f64 reference', async () => {
    const t = await testGpu();
    const on = await upload(state, grads, [2.5, clip, 1, 0]);
    adamw8bit(t.stream, { ...on, factors: adamwFactors(settings.step, settings) });
    const out = await download(on);
    expect(relativeError(out.weights.subarray(0, n), expected.weights)).toBeLessThan(1e-6);
    expect(relativeError(out.mAbsmax, expected.mAbsmax)).toBeLessThan(1e-6);
    expect(relativeError(out.vAbsmax, expected.vAbsmax)).toBeLessThan(1e-6);
    const few = 1 + n / 1000;
    expect(
      ties(out.mCodes.subarray(0, n), expected.mCodes, expected.m, expected.mAbsmax, signed),
    ).toBeLessThan(few);
    expect(
      ties(out.vCodes.subarray(0, n), expected.vCodes, expected.v, expected.vAbsmax, unsigned),
    ).toBeLessThan(few);
    if (n > 4000) {
      expect(expected.signFixes).toBeGreaterThan(10);
    }
    // The gradients are cleared, and the padding of the last block stays zero.
    expect(out.grads.every((g) => g === 0)).toBe(true);
    expect(out.weights.subarray(n).every((w) => w === 0)).toBe(true);
    expect(out.mCodes.subarray(n).every((code) => code === initialMCode)).toBe(true);
    expect(out.vCodes.subarray(n).every((code) => code === 0)).toBe(true);
  });

  it('gives the same bits each time', async () => {
    const t = await testGpu();
    const runs = [];
    for (let run = 0; run < 2; run++) {
      const on = await upload(state, grads, [2.5, clip, 1, 0]);
      adamw8bit(t.stream, { ...on, factors: adamwFactors(settings.step, settings) });
      runs.push(await download(on));
    }
    expect(runs[1]).toEqual(runs[0]);
  });
});

describe.each([4, 252, 256, 260, 4092])('f32 AdamW over %i values', (n) => {
  it('matches the f64 reference', async () => {
    const t = await testGpu();
    const random = new Random(n);
    const weights = random.normals(n, 0.1);
    const grads = gradients(random, n);
    const m = gradients(random, n);
    const v = gradients(random, n).map((x) => x * x);
    grads[n - 1] = NaN;
    const on = { weights: t.upload(weights), grads: t.upload(grads), m: t.upload(m), v: t.upload(v) };
    const control = t.upload(Float32Array.of(2.5, 0.37, 1, 0));
    adamw32(t.stream, { ...on, control, count: n, factors: adamwFactors(settings.step, settings) });
    const ref = adamwRef(
      f64(weights),
      f64(m),
      f64(v),
      f64(grads).map((g) => g * 0.37),
      settings,
    );
    expect(relativeError(await t.floats(on.weights), ref.weights)).toBeLessThan(1e-6);
    expect(relativeError(await t.floats(on.m), ref.m)).toBeLessThan(1e-6);
    expect(relativeError(await t.floats(on.v), ref.v)).toBeLessThan(1e-6);
    expect((await t.floats(on.grads)).every((g) => g === 0)).toBe(true);
  });
});

it.each([NaN, Infinity, -Infinity])(
  'leaves the weight of a gradient of %d alone and clears its state',
  async (value) => {
    const t = await testGpu();
    const random = new Random(91);
    const n = 600;
    const state = midway(random, n);
    const grads = gradients(random, n);
    for (const at of [0, 255, 256, 599]) {
      grads[at] = value;
    }
    const expected = adamw8bitRef(state, f64(grads), signed, unsigned, settings);
    const on = await upload(state, grads, [1, 1, 1, 0]);
    adamw8bit(t.stream, { ...on, factors: adamwFactors(settings.step, settings) });
    const out = await download(on);
    for (const at of [0, 255, 256, 599]) {
      expect(out.weights[at]).toBe(state.weights[at]);
      expect([out.mCodes[at], out.vCodes[at], out.grads[at]]).toEqual([initialMCode, 0, 0]);
    }
    expect(relativeError(out.weights.subarray(0, n), expected.weights)).toBeLessThan(1e-6);
    expect(relativeError(out.mAbsmax, expected.mAbsmax)).toBeLessThan(1e-6);
  },
);

it('touches nothing where control says that a gradient is not finite', async () => {
  const t = await testGpu();
  const random = new Random(92);
  const grads = gradients(random, 512);
  const on = await upload(midway(random, 512), grads, [-1, 0, 0, 0]);
  const before = await download(on);
  const factors = adamwFactors(1, settings);
  adamw8bit(t.stream, { ...on, factors });
  // Any bytes serve as f32 state here.
  const small = {
    ...on,
    m: t.upload(random.normals(512)),
    v: t.upload(random.normals(512)),
    count: 512,
    factors,
  };
  const state = [await t.floats(small.m), await t.floats(small.v)];
  adamw32(t.stream, small);
  expect(await download(on)).toEqual(before);
  expect([await t.floats(small.m), await t.floats(small.v)]).toEqual(state);
});

it('takes the lower code on ties', async () => {
  const t = await testGpu();
  // beta1 = ½ and a largest gradient of 2 make every m half its gradient, and the block's scale 1, exactly.
  const grads = Float32Array.from({ length: 256 }, (_, i) => (i < 255 ? signed[i]! + signed[i + 1]! : 2));
  const fresh = {
    weights: new Float32Array(256),
    mCodes: new Uint8Array(256).fill(initialMCode),
    vCodes: new Uint8Array(256),
  };
  const on = await upload({ ...fresh, mAbsmax: [0], vAbsmax: [0] }, grads, [1, 1, 1, 0]);
  adamw8bit(t.stream, { ...on, factors: adamwFactors(1, { ...settings, beta1: 0.5 }) });
  const out = await download(on);
  expect(out.mAbsmax[0]).toBe(1);
  expect([...out.mCodes]).toEqual(Array.from({ length: 256 }, (_, i) => i));
});

it('counts a block whose scale would be subnormal as zero', async () => {
  const t = await testGpu();
  const n = 256;
  const fresh = {
    weights: new Float32Array(n),
    mCodes: new Uint8Array(n).fill(127),
    vCodes: new Uint8Array(n),
  };
  const state = { ...fresh, mAbsmax: [0], vAbsmax: [0] };
  // v = g²/1000 is subnormal, m = g/10 is not.
  const on = await upload(state, new Float32Array(n).fill(-1e-18), [1, 1, 1, 0]);
  adamw8bit(t.stream, { ...on, factors: adamwFactors(1, settings) });
  const out = await download(on);
  expect(out.vAbsmax[0]).toBe(0);
  expect(out.vCodes.every((code) => code === 0)).toBe(true);
  expect(out.mCodes.every((code) => code === 0)).toBe(true);
  expect(out.weights.every(Number.isFinite)).toBe(true);
});

// Runs of PyTorch, see tests/reference: "big" has 8-bit state, "small" f32.
describe.each([
  ['adamw8bit.safetensors', 30],
  ['adamw8bit_decay.safetensors', 10],
])('%s', (file, steps) => {
  const open = async () => {
    const { tensors, metadata } = await openSafetensors(
      bytesSource(file, readFileSync(`tests/fixtures/${file}`)),
    );
    const [beta1, beta2] = metadata.betas!.split(',').map(Number) as [number, number];
    const { lr, eps, weight_decay: weightDecay } = metadata;
    return {
      has: (name: string) => tensors.has(name),
      floats: (name: string) => readTensorF32(tensors.get(name)!),
      bytes: (name: string) => readTensor(tensors.get(name)!),
      settings: {
        learningRate: Number(lr),
        beta1,
        beta2,
        eps: Number(eps),
        weightDecay: Number(weightDecay),
      },
    };
  };

  /**
   * A code on the other side of a tie moves its weight by up to a code's width of a step from then on: such
   * elements must be few and stay close; all others are equal to 1e-6.
   */
  const expectEqualButForTies = (out: Float32Array, ref: Float32Array): void => {
    const differences = ref.map((w, i) => Math.abs(w - out[i]!));
    expect(differences.filter((d) => !(d <= 1e-6)).length).toBeLessThanOrEqual(ref.length / 1000);
    expect(Math.max(...differences)).toBeLessThan(1e-4);
  };
  const expectCodes = (out: Uint8Array, ref: Uint8Array): void => {
    const off = [...ref].map((code, i) => Math.abs(code - out[i]!)).filter((d) => d > 0);
    expect(off.length).toBeLessThanOrEqual(ref.length / 1000);
    expect(Math.max(1, ...off)).toBe(1);
  };

  it('big: weights, codes and scales are those of PyTorch', async () => {
    const t = await testGpu();
    const f = await open();
    const weights = await f.floats('big.param.0');
    const n = weights.length;
    const zeros = new Float32Array(blocksOf(n));
    const fresh = { mCodes: new Uint8Array(n).fill(initialMCode), vCodes: new Uint8Array(n) };
    const start = { weights, ...fresh, mAbsmax: zeros, vAbsmax: zeros };
    const on = await upload(start, new Float32Array(n), [1, 1, 1, 0]);
    for (let step = 1; step <= steps; step++) {
      const grads = t.upload(padded(await f.floats(`big.grad.${step}`)));
      adamw8bit(t.stream, { ...on, grads, factors: adamwFactors(step, f.settings) });
      if (!f.has(`big.param.${step}`)) {
        continue;
      }
      const out = await download(on);
      expectEqualButForTies(out.weights.subarray(0, n), await f.floats(`big.param.${step}`));
      expectCodes(out.mCodes.subarray(0, n), await f.bytes(`big.m_code.${step}`));
      expectCodes(out.vCodes.subarray(0, n), await f.bytes(`big.v_code.${step}`));
      expect(relativeError(out.mAbsmax, await f.floats(`big.m_absmax.${step}`))).toBeLessThan(1e-6);
      expect(relativeError(out.vAbsmax, await f.floats(`big.v_absmax.${step}`))).toBeLessThan(1e-6);
    }
  });

  it('small: weights, m and v are those of PyTorch', async () => {
    const t = await testGpu();
    const f = await open();
    const weights = padded(await f.floats('small.param.0'));
    const count = weights.length;
    const state = { m: t.upload(new Float32Array(count)), v: t.upload(new Float32Array(count)) };
    const control = t.upload(Float32Array.of(1, 1, 1, 0));
    const on: Omit<Adamw32, 'grads' | 'factors'> = { weights: t.upload(weights), ...state, control, count };
    for (let step = 1; step <= steps; step++) {
      const grads = t.upload(padded(await f.floats(`small.grad.${step}`)));
      adamw32(t.stream, { ...on, grads, factors: adamwFactors(step, f.settings) });
      if (!f.has(`small.param.${step}`)) {
        continue;
      }
      const param = await f.floats(`small.param.${step}`);
      const out = (await t.floats(on.weights)).subarray(0, param.length);
      expect(Math.max(...param.map((w, i) => Math.abs(w - out[i]!)))).toBeLessThan(1e-6);
      const n = param.length;
      const [m, v] = [await f.floats(`small.m.${step}`), await f.floats(`small.v.${step}`)];
      expect(relativeError((await t.floats(on.m)).subarray(0, n), m)).toBeLessThan(1e-6);
      expect(relativeError((await t.floats(on.v)).subarray(0, n), v)).toBeLessThan(1e-6);
    }
  });
});
