import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { chooseKernels } from '../../../src/gpu/autotune/autotune.ts';
import { type KernelSelection, openKernelPlan } from '../../../src/gpu/autotune/kernel-selection.ts';
import { best, fastest } from '../../../src/gpu/autotune/trial.ts';
import { attentionRace, wrongInF16 } from '../../../src/gpu/autotune/trials.ts';
import { type BestVariants, deviceKey } from '../../../src/gpu/autotune/tuning-results.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { Kernel } from '../../../src/gpu/kernel.ts';
import { ATTENTIONS } from '../../../src/gpu/kernels/attention/index.ts';
import { NF4_FORWARD, NF4_GRAD } from '../../../src/gpu/kernels/linear/index.ts';
import type { Nf4Matmul } from '../../../src/gpu/kernels/linear/nf4-operands.ts';
import type { Nf4ForwardVariant, Precision } from '../../../src/gpu/kernels/linear/nf4-variant.ts';
import { Stream } from '../../../src/gpu/stream.ts';
import { type TestGpu, testGpu } from '../../support/gpu.ts';
import { randomNf4 } from '../../support/nf4.ts';
import { Random } from '../../support/random.ts';

const right = NF4_FORWARD[0]!;

/** A variant that computes nothing, or something else: the fastest of all. */
const fake = (name: string, dispatch: Nf4ForwardVariant['dispatch']): Nf4ForwardVariant => ({
  name,
  precision: 'f32',
  supported: () => true,
  dispatch,
});

const broken = new Kernel({ name: 'broken', code: '@compute fn', buffers: [], params: {} });

describe('the self-test of f16', () => {
  const asF16 = (name: string, dispatch: Nf4ForwardVariant['dispatch']): Nf4ForwardVariant => ({
    ...fake(name, dispatch),
    precision: 'f16',
  });

  it('finds nothing wrong with a device that computes what f32 does', async () => {
    const { gpu } = await testGpu();
    expect(await wrongInF16(gpu)).toEqual([]);
    // Where the device has no f16, the same kernels in f32 stand in for it.
    const same = asF16('same', (stream, call) => right.dispatch(stream, call));
    expect(await wrongInF16(gpu, { forward: [right, same], gradient: NF4_GRAD })).toEqual([]);
    expect(gpu.errors).toEqual([]);
  });

  it('names the kernels whose results are not those of f32, of either direction', async () => {
    const { gpu } = await testGpu();
    const idle = asF16('idle', () => undefined);
    const forward = [right, idle, asF16('last row', (s, c) => right.dispatch(s, { ...c, rows: c.rows - 1 }))];
    expect(await wrongInF16(gpu, { forward, gradient: NF4_GRAD })).toEqual([
      'idle: its result differs by 1.0e+0',
      expect.stringMatching(/^last row: its result differs by \d\.\de-1$/),
    ]);
    const gradient = [...NF4_GRAD, { ...idle, name: 'idle back' }] as unknown as typeof NF4_GRAD;
    expect(await wrongInF16(gpu, { forward: NF4_FORWARD, gradient })).toEqual([
      'idle back: its result differs by 1.0e+0',
    ]);
  });
});

describe('a trial', () => {
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
    const won = await fastest(t.stream, contest, { dropped: (name, why) => dropped.push([name, why]) });
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

  it('compiles off the thread, all before the first is run', async () => {
    const late = vi.spyOn(t.gpu.device, 'createComputePipeline').mockClear();
    const told: string[] = [];
    const variants = NF4_FORWARD.filter((variant) => variant.supported(t.gpu)).slice(0, 3);
    await fastest(
      t.stream,
      { variants, call, output: call.y },
      {
        dropped: (name, why) => expect.fail(`${name}: ${why}`),
        compiled: (name) => told.push(`compiled ${name}`),
        running: (name, what) => void told.push(`${what} ${name}`),
      },
    );
    const of = (what: string) => variants.map(({ name }) => `${what} ${name}`);
    expect(told.slice(0, 3).toSorted()).toEqual(of('compiled').toSorted());
    expect(told.slice(3, 6)).toEqual(of('first'));
    expect(told.slice(6)).toEqual(expect.arrayContaining(of('timing')));
    expect(late).not.toHaveBeenCalled();
  });

  it('drops a variant that cannot be compiled, with the reason', async () => {
    const compile = t.gpu.device.createComputePipelineAsync.bind(t.gpu.device);
    const async = vi
      .spyOn(t.gpu.device, 'createComputePipelineAsync')
      .mockImplementation((descriptor) =>
        descriptor.label === 'unlucky'
          ? Promise.reject(new Error('too many registers.\nlog'))
          : compile(descriptor),
      );
    const kernel = new Kernel({
      ...{ name: 'unlucky', buffers: [], params: {} },
      code: '@compute @workgroup_size(1) fn main() {}',
    });
    const unlucky = fake('unlucky', (stream) =>
      stream.dispatch(kernel, { buffers: [], params: {}, groups: [1] }),
    );
    expect((await race(unlucky)).dropped).toEqual([['unlucky', 'too many registers']]);
    async.mockRestore();
  });

  it('is run among those that agree', async () => {
    const same = fake('same', (stream, c) => right.dispatch(stream, c));
    const { won, dropped } = await race(same);
    expect(dropped).toEqual([]);
    expect([right.name, 'same']).toContain(won);
  });
});

describe('the fastest variant', () => {
  /** Seconds of each variant's first, second … measurement; the very first only determines the calls per round. */
  async function among(times: Record<string, number[]>) {
    const calls: [string, number][] = [];
    const name = await best(Object.keys(times), (name, count) => {
      calls.push([name, count]);
      return Promise.resolve(times[name]!.shift()!);
    });
    return { name, calls };
  }

  /** So short that each variant has five rounds. */
  const SHORT = 0.001;

  it('has the smallest median', async () => {
    const a = [SHORT, 3, 3, 3, 3, 3];
    const { name } = await among({ a, b: [3.2, 2.9, 9, 2.9, 2.9], c: [2.7, 4, 4, 4, 2.8] });
    expect(name).toBe('b');
  });

  it('is the earlier of equals', async () => {
    expect((await among({ a: [SHORT, 3, 3, 3, 3, 3], b: [3, 3, 3, 3, 3] })).name).toBe('a');
  });

  it('need not wait for those that are far behind after two rounds', async () => {
    const a = [SHORT, 2, 9, 2, 2, 2];
    const { calls } = await among({ a, b: [9, 2.5], c: [9, 2.3, 2.3, 2.3, 2.3] });
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

  it('is found in rounds of 50 ms together, but at least two', async () => {
    const roundsAt = async (once: number) => {
      const { calls } = await among({
        a: [once, ...Array<number>(5).fill(once)],
        b: Array<number>(5).fill(once),
      });
      return (calls.length - 1) / 2;
    };
    expect([await roundsAt(1e-6), await roundsAt(0.01)]).toEqual([5, 5]);
    expect([await roundsAt(0.02), await roundsAt(0.05), await roundsAt(1)]).toEqual([3, 2, 2]);
  });
});

describe('choosing tiles', () => {
  const shapes = [{ columns: 256, depth: 1536 }];
  const head = { vocab: 151936, rows: 64 };
  const attention = { heads: 12, kvHeads: 2, headDim: 128 };
  const work = {
    precision: 'f32',
    shapes,
    width: 1536,
    head,
    attention,
    rows: 1024,
    longest: 600,
    rank: 32,
    nested: true,
    scratch: 2 ** 20,
  } as const;
  const tuning = {
    onProgress: () => expect.fail('a race began'),
    note: () => undefined,
  };

  it('takes the defaults on a software device, and tiles that compute little beside a small product', async () => {
    const { gpu } = await testGpu();
    expect(gpu.software).toBe(true);
    const cache = { get: () => expect.fail('asked the cache'), set: () => expect.fail('told the cache') };
    expect(await chooseKernels(gpu, work, { ...tuning, cache })).toEqual({
      'forward 256x1536': right.name,
      'gradient 256x1536': right.name,
      head: 'f32',
      norms: 'workgroup',
      attention: 'f32 32x64 by 4x4',
      'attention keys': 'f32 32x64 by 4x4',
      'attention queries': 'f32 32x64 by 4x4',
    });
    const small = { ...work, rows: 96, shapes: [{ columns: 160, depth: 64 }] };
    expect(await chooseKernels(gpu, small, { ...tuning, cache })).toMatchObject({
      'forward 160x64': 'f32 128x64x16',
      'gradient 160x64': 'f32 128x64x16',
    });
    const rows = { ...work, rows: 65, shapes: [{ columns: 128, depth: 32 }] };
    expect(await chooseKernels(gpu, rows, { ...tuning, cache })).toMatchObject({
      'forward 128x32': right.name,
      'gradient 128x32': 'f32 128x64x16',
    });
  });

  it('refuses a variant that the device lacks', async () => {
    const { gpu } = await testGpu();
    const refuse = (missing: string): never => {
      throw new Error(missing);
    };
    const tiles = { 'forward 256x1536': 'f32 128x128x16', 'gradient 256x1536': right.name };
    expect(() => openKernelPlan(gpu, { precision: 'f32', tiles }, refuse)).toThrow('f32 128x128x16');
    expect(() => openKernelPlan(gpu, { precision: 'matrix', tiles: {} }, refuse)).toThrow(
      'of precision matrix',
    );
    // The test's device is opened without subgroups.
    const norms = { norms: 'subgroups' };
    expect(() => openKernelPlan(gpu, { precision: 'f32', tiles: norms }, refuse)).toThrow('subgroups');
    expect(() => openKernelPlan(gpu, { precision: 'f32', tiles: { head: 'matrix' } }, refuse)).toThrow(
      'matrix',
    );
    // It has 16 KiB of workgroup memory.
    const large = { 'attention keys': 'f32 64x64 by 4x4' };
    expect(() => openKernelPlan(gpu, { precision: 'f32', tiles: large }, refuse)).toThrow('f32 64x64 by 4x4');
    const known = {
      ...tiles,
      'forward 256x1536': 'f32 32x32x32',
      'attention keys': 'f32 32x64 by 8x4',
    };
    const products = openKernelPlan(gpu, { precision: 'f32', tiles: known }, refuse);
    const { forward, gradient } = products;
    const narrow = { ...attention, headDim: 64 };
    expect(products.attention('attention keys', narrow).name).toBe('f32 32x64 by 8x4');
    expect(products.attention('attention', narrow).name).toBe('f32 32x64 by 4x4');
    expect(() => products.attention('attention keys', attention)).toThrow('for attention keys');
    expect(forward(shapes[0]!).name).toBe('f32 32x32x32');
    expect(gradient({ columns: 1, depth: 32 }).name).toBe(right.name);
  });
});

describe('choosing tiles by trials', () => {
  const shapes = [{ columns: 64, depth: 96 }];
  const head = { vocab: 100, rows: 8 };
  const attention = { heads: 2, kvHeads: 1, headDim: 8 };
  const work = {
    precision: 'f32',
    shapes,
    width: 96,
    head,
    attention,
    rows: 40,
    longest: 12,
    rank: 4,
    nested: true,
    scratch: 2 ** 20,
  } as const;
  const FORWARD = 'f32 forward 64x96, 64 rows, rank 4, nested';
  /** What these tests need not tune. */
  const KNOWN: BestVariants = {
    'f32 head of 96, 8 rows': 'f32',
    'f32 attention, 2 heads on 1 of 8, 64 tokens in rows of 16': 'f32 32x64 by 4x4',
    'f32 attention keys, 2 heads on 1 of 8, 64 tokens in rows of 16': 'f32 32x64 by 4x4',
    'f32 attention queries, 2 heads on 1 of 8, 64 tokens in rows of 16': 'f32 32x64 by 4x4',
  };
  let gpu: Gpu;
  beforeAll(async () => {
    // A device that is not taken for a software device.
    gpu = { ...(await testGpu()).gpu, software: false };
  });
  // A few of the products' variants are enough.
  beforeEach(() => {
    for (const variants of [NF4_FORWARD, NF4_GRAD]) {
      for (const variant of variants.filter(({ precision }) => precision === 'f32').slice(3)) {
        vi.spyOn(variant, 'supported').mockReturnValue(false);
      }
    }
  });
  afterEach(() => vi.restoreAllMocks());

  /** Chooses, with a cache that remembers everything it was given. */
  async function choose(kept: BestVariants = KNOWN, precision: Precision = 'f32') {
    const saves: BestVariants[] = [];
    const notes: string[] = [];
    const progress: [number, number][] = [];
    const tuning = {
      cache: {
        get: () => Promise.resolve(saves.at(-1) ?? kept),
        set: (_: string, winners: BestVariants) => Promise.resolve(void saves.push(winners)),
      },
      onProgress: (done: number, total: number) => void progress.push([done, total]),
      note: (text: string) => void notes.push(text),
    };
    const before = gpu.memory.total;
    const tiles = await chooseKernels(gpu, { ...work, precision }, tuning).catch(
      (error: unknown) => error as Error,
    );
    expect(gpu.memory.total).toBe(before);
    return { tiles, saves, notes, progress };
  }

  const able = NF4_FORWARD.filter(({ precision }) => precision === 'f32');
  const raced = () => able.filter((variant) => variant.supported(gpu));

  it('stores the result of each trial as soon as it is known, and does not repeat it', async () => {
    const { tiles, saves, notes, progress } = await choose();
    expect(notes).toEqual([]);
    const first = saves.find((winners) => winners[FORWARD] !== undefined)!;
    expect(Object.keys(first).toSorted()).toEqual([...Object.keys(KNOWN), FORWARD].toSorted());
    const all = [...Object.keys(KNOWN), FORWARD, FORWARD.replace('forward', 'gradient')];
    expect(Object.keys(saves.at(-1)!).toSorted()).toEqual(all.toSorted());
    expect(progress.map(([done]) => done)).toEqual(progress.map(([done]) => done).toSorted((a, b) => a - b));
    expect(progress.at(-1)![0]).toBe(progress.at(-1)![1]);
    const again = await choose(saves.at(-1));
    expect(again).toEqual({ tiles, saves: [], notes: [], progress: [] });
  });

  it('leaves out what was tried when the device was lost', async () => {
    const fatal = raced()[1]!;
    const dispatch = fatal.dispatch.bind(fatal);
    const spy = vi.spyOn(fatal, 'dispatch').mockImplementation((stream, call) => {
      // A trial first runs on a null device.
      if (stream.gpu.memory === gpu.memory) {
        throw new Error('the device is lost');
      }
      dispatch(stream, call);
    });
    const lost = await choose();
    expect(lost.tiles).toEqual(new Error('the device is lost'));
    expect(lost.saves.at(-1)).toEqual({ ...KNOWN, [`not to be tried: ${FORWARD}`]: fatal.name });
    spy.mockClear();
    const { tiles, notes, saves } = await choose(lost.saves.at(-1));
    expect(spy).not.toHaveBeenCalled();
    expect(tiles).toHaveProperty('forward 64x96');
    expect(notes).toEqual([
      `${gpu.name}: for forward 64x96 the kernel ${fatal.name} is not used: an earlier start ended while it was tried.`,
    ]);
    expect(saves.at(-1)).toMatchObject({ [`not to be tried: ${FORWARD}`]: fatal.name });
    expect(saves.at(-1)![FORWARD]).not.toBe(fatal.name);
  });

  it('names what is being tried before it runs', async () => {
    const { saves } = await choose();
    const tried = saves.map((winners) => winners[`not to be tried: ${FORWARD}`]).filter(Boolean);
    expect(tried).toEqual(raced().map(({ name }) => name));
  });

  /** From now on the device refuses memory. */
  function refuseMemory() {
    const { popErrorScope, pushErrorScope } = gpu.device;
    const filters: GPUErrorFilter[] = [];
    vi.spyOn(gpu.device, 'pushErrorScope').mockImplementation((filter) => {
      filters.push(filter);
      pushErrorScope.call(gpu.device, filter);
    });
    vi.spyOn(gpu.device, 'popErrorScope').mockImplementation(async () => {
      const refused = filters.pop() === 'out-of-memory';
      const error = await popErrorScope.call(gpu.device);
      return refused ? { message: 'no more memory' } : error;
    });
  }

  it('uses the default if the device has no memory for a trial, and tries again at the next start', async () => {
    refuseMemory();
    const { tiles, saves, notes } = await choose({});
    expect(tiles).toMatchObject({ 'forward 64x96': right.name, 'gradient 64x96': right.name });
    expect(saves).toEqual([]);
    expect(notes[0]).toBe(
      `${gpu.name}: for forward 64x96 the kernel ${right.name} is used without a trial (no more memory).`,
    );
  });

  it('uses no f16 variant without a trial, but the first f32 one that may be tried', async () => {
    refuseMemory();
    const halves = NF4_FORWARD.filter(({ precision }) => precision === 'f16');
    expect(halves).not.toEqual([]);
    for (const variant of halves) {
      vi.spyOn(variant, 'supported').mockReturnValue(true);
    }
    const taken = async (...fatal: string[]) => {
      const key = `not to be tried: ${FORWARD.replace('f32', 'f16')}`;
      const { tiles } = await choose(fatal.length > 0 ? { [key]: fatal.join('; ') } : {}, 'f16');
      return (tiles as KernelSelection)['forward 64x96'];
    };
    const names = raced().map(({ name }) => name);
    expect(await taken()).toBe(names[0]);
    expect(await taken(names[0]!)).toBe(names[1]);
    expect(await taken(...names)).toBe(names[0]);
  });

  it('attention is timed on packed rows, and nothing is run before it is announced', async () => {
    const standard = ATTENTIONS['attention keys'][0]!;
    const dispatches = vi.spyOn(Stream.prototype, 'dispatch');
    const calls = vi.spyOn(standard, 'dispatch');
    const writes = vi.spyOn(gpu.device.queue, 'writeBuffer');
    const onDevice = () => dispatches.mock.contexts.filter((stream) => (stream as Stream).gpu === gpu).length;
    const before: number[] = [];
    const may = [standard.name, 'f32 32x64 by 8x4'];
    const won = await attentionRace(gpu, 'attention keys', work).run((name) => may.includes(name), {
      dropped: (name, why) => expect.fail(`${name}: ${why}`),
      running: () => void before.push(onDevice()),
    });
    expect(may).toContain(won);
    expect(before[0]).toBe(0);
    expect(before[1]).toBeGreaterThan(0);
    const { ranges } = calls.mock.calls[0]![1];
    const [, , written] = writes.mock.calls.find(([raw]) => raw === ranges.buffer.raw)!;
    const document = (begin: number, end: number) => Array<number[]>(end - begin).fill([begin, end]);
    const documents = [document(0, 12), document(12, 24), document(24, 36), document(36, 40)];
    expect([...(written as Uint32Array)]).toEqual(documents.flat(2));
  });
});

it('a device is known by its name, its driver and the kernels', () => {
  const adapterInfo = { vendor: 'nvidia', architecture: 'ada', driver: '575.1' };
  const gpu = { name: 'NVIDIA GeForce RTX 4060', device: { adapterInfo } } as unknown as Gpu;
  expect(deviceKey(gpu)).toMatch(/^NVIDIA GeForce RTX 4060, nvidia, ada, 575\.1, kernels \d+$/);
});
