import { expect, it } from 'vitest';
import type { LoraWeights } from '../../../src/formats/adapter.ts';
import type { Projection } from '../../../src/formats/decoder-weights.ts';
import { view } from '../../../src/gpu/memory.ts';
import { bytesByKind } from '../../../src/model/allocations.ts';
import { Lora } from '../../../src/model/lora.ts';
import { Optimizer } from '../../../src/train/optimizer.ts';
import { stateAllocations, type StateStorage } from '../../../src/train/optimizer-state.ts';
import { type TestGpu, testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

const SETTINGS = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };
const LAYERS = 10;

/** Layers of different sizes, with tensors on both sides of the 8-bit limit; one layer has none. */
function adapter(random: Random): LoraWeights[] {
  const of = (layer: number, projection: Projection, r: number, inFeatures: number, outFeatures: number) => ({
    module: {
      layer,
      projection,
      name: `${layer}.${projection}`,
      r,
      alpha: r,
      scaling: 1,
      inFeatures,
      outFeatures,
    },
    A: Float32Array.from(random.normals(r * inFeatures)),
    B: Float32Array.from(random.normals(outFeatures * r)),
  });
  return [
    of(0, 'q_proj', 8, 1000, 700),
    of(0, 'v_proj', 8, 1000, 60),
    of(1, 'o_proj', 4, 72, 100),
    of(2, 'up_proj', 16, 300, 900),
    ...[4, 5, 6, 7, 8, 9].map((layer) => of(layer, 'q_proj', 8, 1000, 700)),
  ];
}

async function optimizer(t: TestGpu, storage: StateStorage) {
  const lora = new Lora(t.gpu, adapter(new Random(1)), LAYERS, true);
  const before = t.gpu.memory.total;
  const made = new Optimizer(t.gpu, lora, SETTINGS, storage);
  const held = t.gpu.memory.total - before;
  /** The step `n` with its own gradients; `broken`: one of them is not a number. */
  const step = async (n: number, broken = false) => {
    const gradients = new Random(100 + n);
    for (const { grads, layout } of lora.layers) {
      if (layout.values === 0) {
        continue;
      }
      const values = new Float32Array(layout.values);
      for (const { begin, count } of layout.slots) {
        values.set(gradients.normals(count), begin);
      }
      if (broken) {
        values[3] = NaN;
      }
      t.gpu.device.queue.writeBuffer(grads.raw, 0, values);
    }
    await made.step(t.stream, n, 1e-3);
    t.stream.submit();
  };
  const outcome = async () => ({
    weights: await lora.read(t.stream),
    state: await made.read(t.stream),
    grads: await t.bytes(view(lora.layers[0]!.grads)),
  });
  return { made, lora, held, step, outcome };
}

it('the paged state gives the same bits as the resident one, step after step, and holds less', async () => {
  const t = await testGpu();
  const resident = await optimizer(t, 'resident');
  const paged = await optimizer(t, 'paged');
  const fresh = await resident.outcome();
  for (let n = 1; n <= 4; n++) {
    await resident.step(n, n === 3);
    await paged.step(n, n === 3);
    const expected = await resident.outcome();
    expect(await paged.outcome()).toEqual(expected);
    expect(expected.state).not.toEqual(fresh.state);
  }
  expect(paged.held).toBeLessThan(resident.held);
  const layouts = paged.lora.layers.map(({ layout }) => layout);
  const planned = (storage: StateStorage) =>
    [...bytesByKind(stateAllocations(layouts, storage)).values()].reduce((a, b) => a + b);
  expect(resident.held - paged.held).toBe(planned('resident') - planned('paged'));
});

it.each([
  ['resident', 'paged'],
  ['paged', 'resident'],
] as const)('a state saved by the %s goes on in the %s with the same bits', async (from, to) => {
  const t = await testGpu();
  const whole = await optimizer(t, from);
  const first = await optimizer(t, from);
  const second = await optimizer(t, to);
  for (const n of [1, 2, 3]) {
    await whole.step(n);
  }
  for (const n of [1, 2]) {
    await first.step(n);
  }
  const saved = new Map((await first.outcome()).state.map(({ name, data }) => [name, data]));
  second.made.write((name) => saved.get(name)!);
  expect((await second.outcome()).state).toEqual((await first.outcome()).state);
  for (const [i, { weights }] of first.lora.layers.entries()) {
    t.gpu.device.queue.writeBuffer(
      second.lora.layers[i]!.weights.raw,
      0,
      (await t.bytes(view(weights))).slice(),
    );
  }
  await second.step(3);
  expect(await second.outcome()).toEqual(await whole.outcome());
});
