import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';
import type { LogEntry } from '../../../src/formats/trainer-state.ts';
import { chooseKernels, tunedClasses } from '../../../src/gpu/autotune/autotune.ts';
import { attentionCandidates } from '../../../src/gpu/autotune/candidates.ts';
import { HEAD_CLASS, supports } from '../../../src/gpu/autotune/kernel-selection.ts';
import { attentionRace } from '../../../src/gpu/autotune/trials.ts';
import type { Workload } from '../../../src/gpu/autotune/workload.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { ATTENTION_CLASSES } from '../../../src/gpu/kernels/attention/index.ts';
import { PACKED_ATTENTION, PACKED_KEYS, PACKED_QUERIES } from '../../../src/gpu/kernels/attention/packed.ts';
import {
  MATRIX_FORWARD,
  MATRIX_KEYS,
  MATRIX_QUERIES,
} from '../../../src/gpu/kernels/attention/subgroup-matrix.ts';
import { PACKED_FORWARD } from '../../../src/gpu/kernels/linear/nf4-packed.ts';
import { PACKED_HEAD } from '../../../src/gpu/kernels/lm-head/index.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import type { ExecutionPlan } from '../../../src/run/plan/execution-plan.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type CaseName, casePath, CASES } from '../../support/model-case.ts';
import { caseInputs, comparable, runOn } from '../../support/run-case.ts';

/** How far losses of a precision above f32 may be from the reference's. */
const LOSS = 1e-3;

/** Attention on subgroup matrices by operands packed as they are used, and once a pass. */
const FUSED_ATTENTION = [MATRIX_FORWARD, MATRIX_KEYS, MATRIX_QUERIES];
const PACKED = [PACKED_ATTENTION, PACKED_KEYS, PACKED_QUERIES];

let gpu: Gpu;
beforeAll(async () => void (gpu = await openNodeGpu()));
afterAll(() => gpu.close());

// CI's software device has neither halves nor subgroup matrices. llvmpipe has both, GPUs may have.
describe.each(['f16', 'matrix'] as const)('%s', (precision) => {
  it.for(CASES)('losses stay with the reference’s: %s', async (name, { skip }) => {
    if (!supports(gpu, precision)) {
      return skip(`${gpu.name} does not offer ${precision}`);
    }
    const store = new MemoryStore();
    await runOn(gpu, { inputs: await caseInputs(name), store, precision, memory: 4e9 });
    // Nothing is recomputed: the backward pass reads what was saved in f16.
    expect(planOf(store)).toMatchObject({
      precision,
      savedFormat: 'f16',
      keep: expect.stringMatching(/^3+$/),
    });
    const { log_history: log } = resultOf<{ log_history: LogEntry[] }>(store, 'trainer_state.json');
    const worst = worstLoss(log, expectedLog(name));
    expect(worst).toBeLessThan(LOSS);
    // Precisions other than f32 show: this one was really used.
    expect(worst).toBeGreaterThan(1e-7);
  });
});

// Of both cases each step is one pass, and long enough that weights are decoded once for all of it. The heads of the
// second are wide enough for attention on subgroup matrices.
it.for([
  ['batch2', false],
  ['qwen3', true],
] as const)(
  'on subgroup matrices, a stopped run ends in the bytes of one that never was: %s',
  async ([name, attends], { skip }) => {
    if (!supports(gpu, 'matrix')) {
      return skip(`${gpu.name} does not offer matrix`);
    }
    const inputs = () =>
      caseInputs(name, (r) => ({ ...r, training: { ...r.training, epochs: 1, saveSteps: 1 } }));
    const fused = FUSED_ATTENTION.map((one) => vi.spyOn(one, 'dispatch'));
    const packed = PACKED.map((one) => vi.spyOn(one, 'dispatch'));
    const whole = new MemoryStore();
    await runOn(gpu, { inputs: await inputs(), store: whole, precision: 'matrix' });
    const { tiles, passTokens } = planOf(whole);
    expect(Object.values(tiles)).toContain(PACKED_FORWARD[0]!.name);
    expect(passTokens).toBeGreaterThan(64);
    for (const part of ATTENTION_CLASSES) {
      expect(tiles[part] === 'matrix packed', part).toBe(attends);
    }
    // None lacked the room to pack.
    expect(fused.map(({ mock }) => mock.calls.length)).toEqual([0, 0, 0]);
    expect(packed.map(({ mock }) => mock.calls.length > 0)).toEqual(PACKED.map(() => attends));
    vi.restoreAllMocks();
    const store = new MemoryStore();
    const stop = new AbortController();
    const stopped = await runOn(gpu, {
      inputs: await inputs(),
      store,
      precision: 'matrix',
      signal: stop.signal,
      emit: ({ type }) => {
        if (type === 'step') {
          stop.abort();
        }
      },
    });
    expect(stopped).toMatchObject({ status: 'stopped', step: 1 });
    const resumed = await runOn(gpu, { inputs: await inputs(), store });
    expect(resumed.status).toBe('finished');
    expect(comparable(store.result)).toEqual(comparable(whole.result));
  },
);

it('on subgroup matrices, a run whose plan packs the head’s table keeps its losses, and its bytes', async ({
  skip,
}) => {
  if (!supports(gpu, 'matrix')) {
    return skip(`${gpu.name} does not offer matrix`);
  }
  const inputs = () =>
    caseInputs('recipe_text', (r) => ({
      ...r,
      training: { ...r.training, saveSteps: 1, saveTotalLimit: 99 },
    }));
  const whole = new MemoryStore();
  await runOn(gpu, { inputs: await inputs(), store: whole, precision: 'matrix' });
  /** The run after its first step, as a GPU with memory to spare would have planned it. */
  const begun = (): MemoryStore => {
    const store = new MemoryStore();
    const files = structuredClone(whole.saved.get(1)!);
    const state = JSON.parse(new TextDecoder().decode(files['retune_state.json'] as Uint8Array)) as {
      plan: ExecutionPlan;
    };
    const plan = { ...state.plan, tiles: { ...state.plan.tiles, [HEAD_CLASS]: PACKED_HEAD } };
    store.saved.set(1, { ...files, 'retune_state.json': JSON.stringify({ ...state, plan }) });
    return store;
  };
  const [straight, stopped] = [begun(), begun()];
  await runOn(gpu, { inputs: await inputs(), store: straight });
  const stop = new AbortController();
  const emit = ({ type }: RunEvent) => void (type === 'step' && stop.abort());
  const first = await runOn(gpu, { inputs: await inputs(), store: stopped, signal: stop.signal, emit });
  expect(first).toMatchObject({ status: 'stopped', step: 2 });
  await runOn(gpu, { inputs: await inputs(), store: stopped });
  expect(comparable(stopped.result)).toEqual(comparable(straight.result));
  // The head was really computed otherwise.
  expect(comparable(straight.result)['adapter']).not.toEqual(comparable(whole.result)['adapter']);
  const { log_history: log } = resultOf<{ log_history: LogEntry[] }>(straight, 'trainer_state.json');
  expect(worstLoss(log, expectedLog('recipe_text'))).toBeLessThan(LOSS);
});

/** Passes of two rows of a model with grouped heads, and scratch for all of them. */
const WORK: Workload = {
  ...{ precision: 'matrix', shapes: [], width: 64, head: { vocab: 448, rows: 64 }, rank: 8, nested: false },
  ...{ attention: { heads: 6, kvHeads: 2, headDim: 64 }, rows: 200, longest: 100, scratch: 2 ** 24 },
};

it.for(ATTENTION_CLASSES)(
  'autotuning races packed operands, and nothing is left out: %s',
  async (part, { skip }) => {
    if (!supports(gpu, 'matrix')) {
      return skip(`${gpu.name} does not offer matrix`);
    }
    const names = attentionCandidates(part, WORK, gpu).map(({ name }) => name);
    expect(names[0]).toBe('matrix packed');
    const timed: string[] = [];
    const [first] = names.filter((name) => name.startsWith('f32'));
    const raced = [names[0]!, first!];
    const won = await attentionRace(gpu, part, WORK).run((name) => raced.includes(name), {
      dropped: (name, why) => expect.fail(`${name}: ${why}`),
      running: (name, what) => void (what === 'timing' && timed.push(name)),
    });
    expect(raced).toContain(won);
    expect(new Set(timed)).toEqual(new Set(raced));
    // What was chosen before is taken from the cache, and lasts.
    const cache = { get: () => Promise.resolve(chosen), set: () => expect.fail('raced again') };
    const hardware = { ...gpu, software: false };
    const key = tunedClasses(hardware, WORK).map(({ key }) => key);
    const chosen = Object.fromEntries(
      key.map((one) => [one, one.includes('norms') ? 'workgroup' : 'matrix packed']),
    );
    const head = key.find((one) => one.includes('head of'))!;
    chosen[head] = 'matrix';
    const options = { cache, onProgress: () => undefined, note: (text: string) => expect.fail(text) };
    expect(await chooseKernels(hardware, WORK, options)).toMatchObject({ [part]: 'matrix packed' });
  },
);

const resultOf = <T>(store: MemoryStore, file: string): T =>
  JSON.parse(new TextDecoder().decode(store.result[file] as Uint8Array)) as T;

const planOf = (store: MemoryStore): ExecutionPlan =>
  resultOf<{ plan: ExecutionPlan }>(store, 'retune_state.json').plan;

const expectedLog = (name: CaseName): LogEntry[] =>
  (
    JSON.parse(readFileSync(casePath(name, 'expected/expected.json'), 'utf8')) as {
      log_history: LogEntry[];
    }
  ).log_history;

/** The largest difference of a loss in two logs of as many entries. */
function worstLoss(log: readonly LogEntry[], expected: readonly LogEntry[]): number {
  expect(log.length).toBe(expected.length);
  const differences = log.flatMap((entry, i) =>
    ['loss', 'eval_loss', 'train_loss'].flatMap((key) =>
      entry[key] === undefined ? [] : Math.abs(entry[key] - expected[i]![key]!),
    ),
  );
  return Math.max(...differences);
}
