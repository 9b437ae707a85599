import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';
import type { LogEntry } from '../../../src/formats/trainer-state.ts';
import { supports } from '../../../src/gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import type { ExecutionPlan } from '../../../src/run/plan/execution-plan.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type CaseName, casePath, CASES } from '../../support/model-case.ts';
import { caseInputs, runOn } from '../../support/run-case.ts';

/** How far losses of a precision above f32 may be from the reference's. */
const LOSS = 5e-3;

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
    const json = <T>(file: string) =>
      JSON.parse(new TextDecoder().decode(store.result[file] as Uint8Array)) as T;
    expect(json<{ plan: ExecutionPlan }>('retune_state.json').plan.precision).toBe(precision);
    const { log_history: log } = json<{ log_history: LogEntry[] }>('trainer_state.json');
    const worst = worstLoss(log, expectedLog(name));
    expect(worst).toBeLessThan(LOSS);
    // Precisions other than f32 show: this one was really used.
    expect(worst).toBeGreaterThan(1e-7);
  });
});

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
