import { expect, it } from 'vitest';
import type { LoraWeights } from '../../../../src/formats/adapter.ts';
import { Lora, loraLayout } from '../../../../src/model/lora.ts';
import { Optimizer } from '../../../../src/train/optimizer.ts';
import { testGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';

const SETTINGS = { beta1: 0.85, beta2: 0.97, eps: 1e-6, weightDecay: 0.1, maxGradNorm: 0 };
const RATE = 1e-2;

it('with 32-bit state AdamW follows its definition, large tensors too, and is saved under .m and .v', async () => {
  const t = await testGpu();
  const random = new Random(3);
  const module = {
    layer: 0,
    projection: 'q_proj' as const,
    name: '0.q_proj',
    r: 8,
    alpha: 8,
    scaling: 1,
    inFeatures: 1000,
    outFeatures: 70,
  };
  const weights: LoraWeights = {
    module,
    A: Float32Array.from(random.normals(8000)),
    B: Float32Array.from(random.normals(560)),
  };
  expect(loraLayout([module]).values8bit).toBeGreaterThan(0);
  const lora = new Lora(t.gpu, [weights], 1, true, 0, 32);
  const [{ layout, grads }] = lora.layers as [(typeof lora.layers)[0]];
  expect(layout.values8bit).toBe(0);
  const optimizer = new Optimizer(t.gpu, lora, SETTINGS);
  const state = { A: new Float64Array(8000), B: new Float64Array(560) };
  const expected = { A: Float64Array.from(weights.A), B: Float64Array.from(weights.B) };
  const squares = { A: new Float64Array(8000), B: new Float64Array(560) };
  const { beta1, beta2, eps, weightDecay } = SETTINGS;
  for (let step = 1; step <= 3; step++) {
    const values = new Float32Array(layout.values);
    for (const { which, begin, count } of layout.slots) {
      const g = Float32Array.from(random.normals(count));
      values.set(g, begin);
      g.forEach((gi, i) => {
        state[which][i] = beta1 * state[which][i]! + (1 - beta1) * gi;
        squares[which][i] = beta2 * squares[which][i]! + (1 - beta2) * gi * gi;
        const mean = state[which][i]! / (1 - beta1 ** step);
        const root = Math.sqrt(squares[which][i]! / (1 - beta2 ** step));
        expected[which][i] = (expected[which][i]! - (RATE * mean) / (root + eps)) * (1 - RATE * weightDecay);
      });
    }
    t.gpu.device.queue.writeBuffer(grads.raw, 0, values);
    await optimizer.step(t.stream, step, RATE);
    t.stream.submit();
  }
  const [after] = await lora.read(t.stream);
  for (const which of ['A', 'B'] as const) {
    const worst = Math.max(...expected[which].map((x, i) => Math.abs(x - after![which][i]!)));
    expect(worst).toBeLessThan(1e-5);
  }
  const saved = await optimizer.read(t.stream);
  expect(saved.map(({ name, dtype }) => [name.split('.').at(-1), dtype])).toEqual([
    ['m', 'F32'],
    ['v', 'F32'],
    ['m', 'F32'],
    ['v', 'F32'],
  ]);
});
