import { beforeAll, describe, expect, it } from 'vitest';
import { nodeSource } from '../../../src/cli/node-files.ts';
import { askModel } from '../../../src/comparison/ask-model.ts';
import type { LogEntry } from '../../../src/formats/trainer-state.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import type { RunInputs } from '../../../src/run/input/run-inputs.ts';
import { memoryFolder } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { casePath, CASES } from '../../support/model-case.ts';
import { expectAdapter, expectAnswers, expectedRun, expectLog } from '../../support/reference-run.ts';
import { caseInputs } from '../../support/run-case.ts';
import { runOnSharedDevice, sharedDevice } from '../../support/shared-device.ts';

// The engine alone, on a device that these cases share. Of those left out, tests/e2e/recipe-project.test.ts has the first
// by command; the others differ in how their base is stored and built, and tests/gpu/model loads it and computes its
// logits, of the first of them the gradients too. tests/long/reference.test.ts has all, with the answers of base and V1
// to the same questions.
const HERE = CASES.filter((name) => !['recipe_text', 'llama_sharded', 'prequant'].includes(name));

describe.each(HERE)('the reference run %s', (name) => {
  const expected = expectedRun(name);
  const store = new MemoryStore();
  let inputs: RunInputs;

  beforeAll(async () => {
    inputs = await caseInputs(name);
    const { status, events } = await runOnSharedDevice({ inputs, store, precision: 'f32' });
    expect(status).toBe('finished');
    const notes = events.flatMap((event) => (event.type === 'note' ? [event.text] : []));
    const differs = 'lm_head.weight in the files differs from it';
    expect(notes.some((note) => note.includes(differs))).toBe(name === 'untied_head');
  });

  it('logs what transformers logs, at the same steps', () => {
    const state = new TextDecoder().decode(store.result['trainer_state.json'] as Uint8Array);
    expectLog(expected, (JSON.parse(state) as { log_history: LogEntry[] }).log_history);
  });

  it('moves the adapter where PyTorch moved it', () => expectAdapter(name, memoryFolder('v2', store.result)));

  it('keeps the checkpoints of transformers, and its result when run again', async () => {
    if (expected.checkpoints) {
      expect([...store.saved.keys()].map((step) => `checkpoint-${step}`).toSorted()).toEqual(
        expected.checkpoints.toSorted(),
      );
    }
    const before = store.result['adapter_model.safetensors'];
    expect((await runOnSharedDevice({ inputs, store })).status).toBe('already finished');
    expect(store.result['adapter_model.safetensors']).toBe(before);
  });

  it('answers with PyTorch as V2', async () => {
    const { results } = await askModel({
      base: inputs.base,
      adapter: memoryFolder('v2', store.result),
      questions: await nodeSource(casePath(name, 'questions.json')),
      // V2 stores the form it was trained with.
      form: undefined,
      recipe: inputs.recipe,
      maxNewTokens: 24,
      shorter: '',
      sampling: GREEDY,
      seed: 0,
      testDate: '2026-01-01',
      openGpu: sharedDevice,
      emit: () => undefined,
    });
    expectAnswers(
      expected,
      'v2',
      results.map((result) => result.model_answer),
    );
  });
});
