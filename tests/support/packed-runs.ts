import { expect, it } from 'vitest';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import reference from '../fixtures/packed.json' with { type: 'json' };
import { MemoryStore } from './memory-store.ts';
import type { CaseName } from './model-case.ts';
import { caseInputs } from './run-case.ts';
import { runOnSharedDevice } from './shared-device.ts';

/** Tests packed runs of these cases against TRL's (tests/reference/make_packed.py). */
export function testPacked(cases: readonly CaseName[]): void {
  const runs = reference.runs.filter((run) => cases.includes(run.case as CaseName));
  expect(runs).toHaveLength(cases.length);
  it.each(runs)('$case, packed, has the losses of TRL’s SFTTrainer', async ({ case: name, changes, log }) => {
    const inputs = await caseInputs(name as CaseName, (recipe) => ({
      ...recipe,
      training: {
        ...recipe.training,
        packing: true,
        maxLength: changes.max_seq_length,
        epochs: changes.num_train_epochs,
        accumulationSteps: changes.gradient_accumulation_steps,
        loggingSteps: 1,
      },
    }));
    const store = new MemoryStore();
    await runOnSharedDevice({ inputs: { ...inputs, validation: undefined }, store, precision: 'f32' });
    const state = new TextDecoder().decode(store.result['trainer_state.json'] as Uint8Array);
    const ours = (JSON.parse(state) as { log_history: LogEntry[] }).log_history.filter(
      ({ loss }) => loss !== undefined,
    );
    expect(ours.map(({ step, epoch }) => [step, epoch])).toEqual(log.map(({ step, epoch }) => [step, epoch]));
    ours.forEach((entry, i) => {
      const theirs = log[i]!;
      const at = `step ${entry.step}`;
      expect(Math.abs(entry.loss! - theirs.loss), at).toBeLessThan(2e-5);
      expect(Math.abs(entry.grad_norm! / theirs.grad_norm - 1), at).toBeLessThan(2e-4);
      expect(entry.learning_rate, at).toBeCloseTo(theirs.learning_rate, 15);
    });
  });
}
