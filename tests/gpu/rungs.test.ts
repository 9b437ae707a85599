import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { supports } from '../../src/gpu/tuning/products.ts';
import { finetune } from '../../src/run/finetune.ts';
import type { RunPlan } from '../../src/run/run-plan.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { casePath } from '../support/model-case.ts';
import { caseInputs } from '../support/run-case.ts';

/** How far losses of a rung above f32 may be from the reference's. */
const LOSS = 5e-3;

// CI's software device has neither halves nor matrix units. llvmpipe has halves, GPUs may have both.
it.for(['f16', 'matrix'] as const)('%s: losses stay with the reference’s', async (precision, { skip }) => {
  const gpu = await openNodeGpu();
  try {
    if (!supports(gpu, precision)) return skip(`${gpu.name} does not offer ${precision}`);
    const inputs = await caseInputs('recipe_text');
    const store = new MemoryStore();
    const openGpu = () => Promise.resolve(gpu);
    await finetune({ inputs, store, resume: 'exact', precision, openGpu, emit: () => undefined });
    expect(gpu.errors).toEqual([]);
    const json = <T>(name: string) =>
      JSON.parse(new TextDecoder().decode(store.result[name] as Uint8Array)) as T;
    expect(json<{ plan: RunPlan }>('retune_state.json').plan.precision).toBe(precision);
    const { log_history: log } = json<{ log_history: LogEntry[] }>('trainer_state.json');
    const expected = JSON.parse(readFileSync(casePath('recipe_text', 'expected/expected.json'), 'utf8')) as {
      log_history: LogEntry[];
    };
    expect(log.length).toBe(expected.log_history.length);
    const worst = Math.max(
      ...log.flatMap((entry, i) =>
        ['loss', 'eval_loss', 'train_loss'].flatMap((key) =>
          entry[key] === undefined ? [] : Math.abs(entry[key] - expected.log_history[i]![key]!),
        ),
      ),
    );
    expect(worst).toBeLessThan(LOSS);
    // What is not f32 shows: the rung was really taken.
    expect(worst).toBeGreaterThan(1e-7);
  } finally {
    gpu.close();
  }
});
