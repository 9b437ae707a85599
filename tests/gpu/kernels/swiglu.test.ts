import { describe, expect, it } from 'vitest';
import { swiglu, swigluBackward } from '../../../src/gpu/kernels/swiglu.ts';
import { swigluBackwardRef, swigluRef } from '../../reference/ops/swiglu.ts';
import { f64, relativeError, testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

describe.each([4, 1020, 1024, 1028, 4 * 1009, 3 * 4864])('swiglu of %i values', (n) => {
  const random = new Random(n);
  const gate = random.normals(n, 4);
  const up = random.normals(n);
  const dout = random.normals(n);

  it('matches the f64 reference forward', async () => {
    const t = await testGpu();
    const out = t.output(n);
    swiglu(t.stream, { gate: t.upload(gate), up: t.upload(up), out, n });
    expect(relativeError(await t.floats(out), swigluRef(f64(gate), f64(up)))).toBeLessThan(1e-5);
  });

  it('matches the f64 reference backward, in place', async () => {
    const t = await testGpu();
    const views = { gate: t.upload(gate), up: t.upload(up), dout: t.upload(dout) };
    swigluBackward(t.stream, { ...views, n });
    const { dgate, dup } = swigluBackwardRef(f64(gate), f64(up), f64(dout));
    expect(relativeError(await t.floats(views.gate), dgate)).toBeLessThan(1e-5);
    expect(relativeError(await t.floats(views.up), dup)).toBeLessThan(1e-5);
  });
});

it('stays right where e^|gate| overflows', async () => {
  const t = await testGpu();
  const gate = Float32Array.of(-3e38, -1000, -90, -20, 20, 90, 1000, 1e30);
  const ones = new Float32Array(8).fill(1);
  const views = { gate: t.upload(gate), up: t.upload(ones), dout: t.upload(ones) };
  const out = t.output(8);
  swiglu(t.stream, { gate: views.gate, up: views.up, out, n: 8 });
  const expected = swigluRef(f64(gate), f64(ones));
  (await t.floats(out)).forEach((y, i) => {
    expect(Math.abs(y - expected[i]!), `silu(${gate[i]})`).toBeLessThan(
      1e-6 * Math.abs(expected[i]!) + 1e-30,
    );
  });
  swigluBackward(t.stream, { ...views, n: 8 });
  const dgate = await t.floats(views.gate);
  expect([...dgate.subarray(0, 3), ...dgate.subarray(5)].map((d) => Math.round(d) + 0)).toEqual([
    0, 0, 0, 1, 1, 1,
  ]);
});
