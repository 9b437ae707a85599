import { expect, it } from 'vitest';
import type { LogEntry } from '../../../src/formats/trainer-state.ts';
import reference from '../../fixtures/packed.json' with { type: 'json' };
import { MemoryStore } from '../../support/memory-store.ts';
import type { CaseName } from '../../support/model-case.ts';
import { caseInputs } from '../../support/run-case.ts';
import { runOnSharedDevice } from '../../support/shared-device.ts';

// tests/reference/make_packed.py
it.each(reference.runs)(
  '$case, packed, has the losses of TRL’s SFTTrainer',
  async ({ case: name, changes, log }) => {
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
  },
);
