import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import { finetune } from '../../../src/run/finetune.ts';
import { estimateMemory } from '../../../src/run/plan/estimate.ts';
import type { ExecutionPlan } from '../../../src/run/plan/execution-plan.ts';
import { smallestChoice, withChoice } from '../../../src/run/plan/memory-choice.ts';
import { checkpointBytes, memoryPlan, totalBytes } from '../../../src/run/plan/memory-plan.ts';
import { passInput } from '../../../src/run/plan/pass-size.ts';
import { source } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { nullGpu } from '../../support/null-gpu.ts';
import { caseInputs, comparable } from '../../support/run-case.ts';

/** Each is longer than the one before; a run truncates them. */
const rows = Array.from({ length: 18 }, (_, i) => JSON.stringify({ text: `${i} wheel `.repeat(20 + i) }));

/** Steps of two rows, which have all the same length where they may have no more than 16 tokens. */
const inputs = async (maxLength = 16) => ({
  ...(await caseInputs('llama_sharded', (r) => ({
    ...r,
    training: { ...r.training, accumulationSteps: 2, batchSize: 1, maxLength, epochs: 9, saveSteps: 100 },
  }))),
  train: source('train.jsonl', rows.join('\n')),
  validation: undefined,
});

// One device for all runs, so that its kernels are compiled once.
let gpu: Gpu;
let standard: Awaited<ReturnType<typeof run>>;
beforeAll(async () => {
  gpu = await openNodeGpu('floor');
  standard = await run({});
});
afterAll(() => gpu.close());

type StoredPlan = Pick<ExecutionPlan, 'keep' | 'optimizer' | 'savedFormat'>;

/** Ends a run after this step; reports what it holds, without what earlier runs left. */
async function run({
  memory,
  store = new MemoryStore(),
  steps = 2,
  maxLength,
  onStep,
  on = gpu,
}: {
  memory?: number;
  store?: MemoryStore;
  steps?: number;
  maxLength?: number;
  onStep?: (step: number) => void;
  on?: Gpu;
}) {
  const before = on.memory.total;
  const stop = new AbortController();
  const events: RunEvent[] = [];
  let held = 0;
  await finetune({
    inputs: await inputs(maxLength),
    store,
    resume: 'exact',
    memory,
    openGpu: () => Promise.resolve(on),
    signal: stop.signal,
    emit: (event) => {
      events.push(event);
      if (event.type === 'facts') {
        held = on.memory.total - before;
      }
      if (event.type !== 'step') {
        return;
      }
      onStep?.(event.progress.step);
      if (event.progress.step === steps) {
        stop.abort();
      }
    },
  });
  expect(on.errors).toEqual([]);
  const facts = events.find((e) => e.type === 'facts')!.facts;
  const { cursor, ...files } = comparable(store.saved.get(steps)!);
  const { plan } = cursor as { plan: StoredPlan };
  const notes = events.filter((e) => e.type === 'note').map((e) => e.text);
  expect(held).toBe(facts.gpuBytes);
  return { files, plan, notes, held };
}

it('a run in little memory keeps less, holds what it planned and gives the same files', async () => {
  expect(standard.plan).toMatchObject({ keep: '11', optimizer: 'resident' });
  const input = passInput(await estimateMemory(await inputs()));
  const smallest = withChoice(input, smallestChoice(input));
  const memory = totalBytes(memoryPlan(smallest)) + checkpointBytes(smallest);
  const little = await run({ memory });
  expect(little.plan.keep).toBe('00');
  expect(little.held).toBeLessThan(standard.held);
  expect(little.held).toBeLessThan(memory);
  await expect(run({ memory: memory - 1 })).rejects.toThrow(
    /^Memory: \d+ MiB are allowed, and this run needs at/,
  );
  expect(little.files).toEqual(standard.files);
});

describe('a run with enough memory', () => {
  const store = new MemoryStore();
  let plan: StoredPlan;
  beforeAll(async () => void ({ plan } = await run({ store, steps: 1, memory: 4e9 })));

  /** The run from its first step on, had it been planned so. */
  const resumed = (changed: object) => {
    const saved = store.saved.get(1)!;
    const cursor = JSON.parse(new TextDecoder().decode(saved['retune_state.json'] as Uint8Array)) as object;
    const copy = new MemoryStore();
    copy.saved.set(1, {
      ...saved,
      'retune_state.json': JSON.stringify({ ...cursor, plan: { ...plan, ...changed } }),
    });
    return run({ store: copy });
  };

  it('saves everything; it resumes as its checkpoint says, even with paged state', async () => {
    expect(plan).toMatchObject({ keep: '33', optimizer: 'resident' });
    const paged = { keep: '32', optimizer: 'paged' } as const;
    const again = await resumed(paged);
    expect(again.plan).toEqual({ ...plan, ...paged });
    expect(again.files).toEqual(standard.files);
  });

  it('saves gate and up in f16 where its plan says so, and only there: the bytes are the same however much it keeps', async () => {
    expect(plan).not.toHaveProperty('savedFormat');
    const whole = await resumed({ savedFormat: 'f16' });
    expect(whole.plan).toEqual({ ...plan, savedFormat: 'f16' });
    const recomputed = await resumed({ savedFormat: 'f16', keep: '01' });
    expect(recomputed.files).toEqual(whole.files);
    expect(whole.files).not.toEqual(standard.files);
  });
});

/** Runs `work` on a device with only this many bytes left. */
async function refusing<T>(bytes: number, work: () => Promise<T>): Promise<T> {
  const { device } = gpu;
  const most = gpu.memory.total + bytes;
  const filters: GPUErrorFilter[] = [];
  const { pushErrorScope, popErrorScope } = device;
  Object.assign(device, {
    pushErrorScope: (filter: GPUErrorFilter) => {
      filters.push(filter);
      pushErrorScope.call(device, filter);
    },
    popErrorScope: async () => {
      const refused = filters.pop() === 'out-of-memory' && gpu.memory.total > most;
      const error = await popErrorScope.call(device);
      return refused ? { message: 'no more' } : error;
    },
  });
  try {
    return await work();
  } finally {
    Object.assign(device, { pushErrorScope, popErrorScope });
  }
}

it('where the device refuses, a run keeps less and says so; nothing is left of what was tried', async () => {
  const fallen = await refusing(standard.held, () => run({ memory: 4e9 }));
  expect(fallen.plan).toMatchObject({ keep: '11', optimizer: 'resident' });
  expect(fallen.notes.length).toBeGreaterThan(0);
  expect(fallen.notes[0]).toMatch(/refused the memory asked for; trying [\d,]+ MiB with more recomputation/);
  expect(fallen.files).toEqual(standard.files);
  await expect(refusing(2 ** 20, () => run({}))).rejects.toThrow(
    /^GPU memory: [\d,]+ MiB are needed \(.*\), and .* has less to give; lower training\.max_seq_length/,
  );
});

it('after three steps nothing is allocated for passes of any length, and one readback a step brings its results', async () => {
  const counts = { buffers: 0, groups: 0, readbacks: 0 };
  const idle = await nullGpu();
  const { device } = idle;
  const { createBuffer, createBindGroup } = device;
  Object.assign(device, {
    createBuffer: (descriptor: GPUBufferDescriptor) => {
      counts.buffers++;
      const buffer = createBuffer.call(device, descriptor);
      const { mapAsync } = buffer;
      const counted = (...range: Parameters<GPUBuffer['mapAsync']>) => {
        counts.readbacks++;
        return mapAsync.apply(buffer, range);
      };
      return Object.assign(buffer, { mapAsync: counted });
    },
    createBindGroup: (descriptor: GPUBindGroupDescriptor) => {
      counts.groups++;
      return createBindGroup.call(device, descriptor);
    },
  });
  const after: (typeof counts)[] = [];
  const onStep = (step: number) => (after[step] = { ...counts });
  await run({ steps: 6, maxLength: 128, onStep, on: idle });
  idle.close();
  expect(after[3]!.buffers).toBeGreaterThan(0);
  expect(after[3]!.groups).toBeGreaterThan(0);
  for (const step of [4, 5, 6]) {
    expect(after[step]).toEqual({ ...after[3], readbacks: after[3]!.readbacks + step - 3 });
  }
});
