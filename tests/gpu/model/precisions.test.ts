import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';
import type { LogEntry } from '../../../src/formats/trainer-state.ts';
import { supports } from '../../../src/gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { PACKED_FORWARD } from '../../../src/gpu/kernels/linear/nf4-packed.ts';
import type { ExecutionPlan } from '../../../src/run/plan/execution-plan.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type CaseName, casePath, CASES } from '../../support/model-case.ts';
import { caseInputs, comparable, runOn } from '../../support/run-case.ts';

/** How far losses of a precision above f32 may be from the reference's. */
const LOSS = 1e-3;

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
    await runOn(gpu, { inputs: await caseInputs(name), store, precision });
    expect(planOf(store).precision).toBe(precision);
    const { log_history: log } = resultOf<{ log_history: LogEntry[] }>(store, 'trainer_state.json');
    const worst = worstLoss(log, expectedLog(name));
    expect(worst).toBeLessThan(LOSS);
    // Precisions other than f32 show: this one was really used.
    expect(worst).toBeGreaterThan(1e-7);
  });
});

it('on subgroup matrices, a run that was stopped ends in the bytes of one that never was', async ({
  skip,
}) => {
  if (!supports(gpu, 'matrix')) {
    return skip(`${gpu.name} does not offer matrix`);
  }
  const inputs = () =>
    caseInputs('batch2', (r) => ({ ...r, training: { ...r.training, epochs: 1, saveSteps: 1 } }));
  const whole = new MemoryStore();
  await runOn(gpu, { inputs: await inputs(), store: whole, precision: 'matrix' });
  // Each step is one pass, and long enough that weights are decoded once for all of it.
  const { tiles, passTokens } = planOf(whole);
  expect(Object.values(tiles)).toContain(PACKED_FORWARD[0]!.name);
  expect(passTokens).toBeGreaterThan(64);
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
});

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
