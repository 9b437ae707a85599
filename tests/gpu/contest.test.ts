import { beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/device.ts';
import { Kernel } from '../../src/gpu/kernel.ts';
import type { Nf4Matmul } from '../../src/gpu/kernels/nf4-call.ts';
import type { Nf4ForwardVariant, Variant } from '../../src/gpu/kernels/nf4-variant.ts';
import { NF4_FORWARD } from '../../src/gpu/kernels/nf4-variants.ts';
import { deviceKey } from '../../src/gpu/tuning/cache.ts';
import { fastest, winner } from '../../src/gpu/tuning/contest.ts';
import { openProducts } from '../../src/gpu/tuning/products.ts';
import { chooseTiles } from '../../src/gpu/tuning/tune.ts';
import { testGpu, type TestGpu } from '../support/gpu.ts';
import { randomNf4 } from '../support/nf4.ts';
import { Random } from '../support/random.ts';

const right = NF4_FORWARD[0]!;

/** A variant that computes nothing, or something else: the fastest of all. */
const fake = (name: string, dispatch: Nf4ForwardVariant['dispatch']): Nf4ForwardVariant => ({
  name,
  precision: 'f32',
  supported: () => true,
  dispatch,
});

const broken = new Kernel({ name: 'broken', code: '@compute fn', buffers: [], params: {} });

describe('a race', () => {
  let t: TestGpu;
  let call: Nf4Matmul;

  beforeAll(async () => {
    t = await testGpu();
    const random = new Random(5);
    const { weight } = randomNf4(t, random, 132, 96, false);
    call = { x: t.upload(random.normals(70 * 96)), weight, y: t.output(70 * 132), rows: 70 };
  });

  const race = async (...variants: Nf4ForwardVariant[]) => {
    const dropped: [string, string][] = [];
    const contest = { variants: [right, ...variants], call, output: call.y };
    const won = await fastest(t.stream, contest, (name, why) => dropped.push([name, why]));
    expect(t.gpu.errors).toEqual([]);
    return { won: won.name, dropped };
  };

  it('drops a variant that computes nothing, though the right result stands where it should write', async () => {
    const { won, dropped } = await race(fake('idle', () => undefined));
    expect(won).toBe(right.name);
    expect(dropped).toEqual([['idle', 'its result differs by 1.0e+0']]);
  });

  it('drops a variant that is off by a little, or anywhere but a number', async () => {
    const off = fake('off', (stream, c) => right.dispatch(stream, { ...c, rows: c.rows - 1 }));
    const { won, dropped } = await race(off);
    expect(won).toBe(right.name);
    expect(dropped).toEqual([['off', expect.stringMatching(/^its result differs by \d\.\de-1$/)]]);
    const nan = t.output(132);
    const wild = fake('wild', (stream, c) => right.dispatch(stream, { ...c, bias: nan }));
    expect((await race(wild)).dropped).toEqual([['wild', 'its result differs by NaN']]);
  });

  it('drops a variant that the device refuses', async () => {
    const refused = fake('refused', (stream) =>
      stream.dispatch(broken, { buffers: [], params: {}, groups: [1] }),
    );
    const { won, dropped } = await race(refused);
    expect(won).toBe(right.name);
    expect(dropped.map(([name]) => name)).toEqual(['refused']);
  });

  it('is run among those that agree', async () => {
    const same = fake('same', (stream, c) => right.dispatch(stream, c));
    const { won, dropped } = await race(same);
    expect(dropped).toEqual([]);
    expect([right.name, 'same']).toContain(won);
  });
});

describe('the winner', () => {
  /** Seconds of each variant's first, second … measurement; the first of all only says how many calls a round takes. */
  async function among(times: Record<string, number[]>) {
    const calls: [string, number][] = [];
    const clock = {
      time: <Call>({ name }: Variant<Call>, _: Call, count: number) => {
        calls.push([name, count]);
        return Promise.resolve(times[name]!.shift()!);
      },
    };
    const variants = Object.keys(times).map((name) => fake(name, () => undefined));
    return { name: (await winner(clock, variants, {} as Nf4Matmul)).name, calls };
  }

  it('has the smallest median', async () => {
    const { name } = await among({ a: [1, 3, 3, 3, 3, 3], b: [4, 2, 9, 2, 2], c: [1.9, 4, 4, 4, 1.9] });
    expect(name).toBe('b');
  });

  it('is the earlier of equals', async () => {
    expect((await among({ a: [1, 3, 3, 3, 3, 3], b: [3, 3, 3, 3, 3] })).name).toBe('a');
  });

  it('need not wait for those that are far behind after two rounds', async () => {
    const { calls } = await among({ a: [1, 2, 9, 2, 2, 2], b: [9, 3.1], c: [9, 2.9, 2.9, 2.9, 2.9] });
    const rounds = (who: string) => calls.filter(([name]) => name === who).length;
    expect([rounds('a'), rounds('b'), rounds('c')]).toEqual([6, 2, 5]);
  });

  it('is found with as many calls as fill a round of 10 ms, and at most 64', async () => {
    const callsFor = async (once: number) => {
      const { calls } = await among({ a: [once, 1, 1, 1, 1, 1], b: [1, 1, 1, 1, 1] });
      return calls[1]![1];
    };
    expect([await callsFor(0.02), await callsFor(0.003), await callsFor(1e-6)]).toEqual([1, 4, 64]);
  });
});

describe('choosing tiles', () => {
  const shapes = [{ columns: 256, depth: 1536 }];
  const head = { vocab: 151936, rows: 64 };
  const work = { precision: 'f32', shapes, width: 1536, head, rows: 1024, rank: 32, nested: true } as const;
  const tuning = {
    onProgress: () => expect.fail('a race began'),
    note: () => undefined,
  };

  it('takes the defaults on a software device', async () => {
    const { gpu } = await testGpu();
    expect(gpu.software).toBe(true);
    const cache = { get: () => expect.fail('asked the cache'), set: () => expect.fail('told the cache') };
    expect(await chooseTiles(gpu, work, { ...tuning, cache })).toEqual({
      'forward 256x1536': right.name,
      'gradient 256x1536': right.name,
      head: 'f32',
      norms: 'workgroup',
    });
  });

  it('refuses a variant that the device lacks', async () => {
    const { gpu } = await testGpu();
    const refuse = (missing: string): never => {
      throw new Error(missing);
    };
    const tiles = { 'forward 256x1536': 'f32 128x128x16', 'gradient 256x1536': right.name };
    expect(() => openProducts(gpu, { precision: 'f32', tiles }, refuse)).toThrow('f32 128x128x16');
    expect(() => openProducts(gpu, { precision: 'matrix', tiles: {} }, refuse)).toThrow(
      'of precision matrix',
    );
    // The test's device is opened without subgroups.
    const norms = { norms: 'subgroups' };
    expect(() => openProducts(gpu, { precision: 'f32', tiles: norms }, refuse)).toThrow('subgroups');
    expect(() => openProducts(gpu, { precision: 'f32', tiles: { head: 'matrix' } }, refuse)).toThrow(
      'matrix',
    );
    const known = { ...tiles, 'forward 256x1536': 'f32 32x32x32' };
    const { forward, gradient } = openProducts(gpu, { precision: 'f32', tiles: known }, refuse);
    expect(forward(shapes[0]!).name).toBe('f32 32x32x32');
    expect(gradient({ columns: 1, depth: 32 }).name).toBe(right.name);
  });
});

it('a device is known by its name, its driver and the kernels', () => {
  const adapterInfo = { vendor: 'nvidia', architecture: 'ada', driver: '575.1' };
  const gpu = { name: 'NVIDIA GeForce RTX 4060', device: { adapterInfo } } as unknown as Gpu;
  expect(deviceKey(gpu)).toMatch(/^NVIDIA GeForce RTX 4060, nvidia, ada, 575\.1, kernels \d+$/);
});
