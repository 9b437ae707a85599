import { beforeAll, expect, it } from 'vitest';
import type { Recipe } from '../../../src/formats/recipe.ts';
import type { RunInputs } from '../../../src/run/input/run-inputs.ts';
import type { MemoryFiles } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs, comparable } from '../../support/run-case.ts';
import { runOnSharedDevice as run } from '../../support/shared-device.ts';

/**
 * Six steps with such a high learning rate, without clipping, that the first ones learn and the later ones diverge.
 */
const recipe = (r: Recipe): Recipe => ({
  ...r,
  training: {
    ...r.training,
    maxSteps: 6,
    accumulationSteps: 1,
    learningRate: 0.5,
    schedule: 'constant',
    maxGradNorm: 0,
    adamBeta2: 0.9,
    maxLength: 17,
    valSize: 4,
    evalOnStart: true,
    evalSteps: 1,
    saveSteps: 1,
    saveTotalLimit: 1,
    loggingSteps: 1,
    loadBestModelAtEnd: true,
  },
});

const inputs = async (): Promise<RunInputs> => ({
  ...(await caseInputs('batch2', recipe)),
  validation: undefined,
});

const json = (files: MemoryFiles, name: string) =>
  JSON.parse(new TextDecoder().decode(files[name] as Uint8Array)) as Record<string, unknown>;

let whole: MemoryStore;
let best: number;

beforeAll(async () => {
  whole = new MemoryStore();
  const result = await run({ inputs: await inputs(), store: whole });
  expect(result.status).toBe('finished');
  const history = json(whole.result, 'trainer_state.json').log_history as Record<string, number>[];
  const losses = history.filter(({ eval_loss, step }) => eval_loss !== undefined && step! > 0);
  expect(losses.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  best = losses.toSorted((a, b) => a.eval_loss! - b.eval_loss!)[0]!.step!;
  // Otherwise the run would not distinguish the best from the last.
  expect(best).toBeLessThan(6);
  const { eval_loss: evalLoss } = losses.find(({ step }) => step === best)!;
  expect(result.best).toEqual({ step: best, evalLoss });
});

it('the result is the best checkpoint’s adapter, and only that checkpoint is left', async () => {
  const state = json(whole.result, 'trainer_state.json');
  expect(state).toMatchObject({
    global_step: 6,
    max_steps: 6,
    best_global_step: best,
    best_model_checkpoint: `checkpoint-${best}`,
  });
  expect(await whole.checkpoints()).toEqual([best]);
  const checkpoint = whole.saved.get(best)!;
  expect(whole.result['adapter_model.safetensors']).toEqual(checkpoint['adapter_model.safetensors']);
  expect(json(checkpoint, 'trainer_state.json').best_metric).toBe(state.best_metric);
});

it('what is held back, and that nothing was clipped, is on record', () => {
  const { plan } = json(whole.result, 'retune_state.json') as { plan: Record<string, unknown> };
  expect(plan.heldBack).toEqual({ size: 4, seed: expect.any(Number) as number, rows: 4, of: 13 });
  const history = json(whole.result, 'trainer_state.json').log_history as Record<string, number>[];
  expect(history[0]).toMatchObject({ step: 0, epoch: 0, eval_loss: expect.any(Number) as number });
  const norms = history.flatMap(({ grad_norm: norm }) => (norm === undefined ? [] : [norm]));
  expect(norms).toHaveLength(6);
  expect(Math.max(...norms)).toBeGreaterThan(0);
});

it('stopped on the way it ends in the same bytes', async () => {
  const at = 3;
  const store = new MemoryStore();
  const controller = new AbortController();
  const stopped = await run({
    inputs: await inputs(),
    store,
    signal: controller.signal,
    emit: (event) => {
      if (event.type === 'step' && event.progress.step === at) {
        controller.abort();
      }
    },
  });
  expect([stopped.status, stopped.step]).toEqual(['stopped', at]);
  expect((await run({ inputs: await inputs(), store })).status).toBe('finished');
  expect(comparable(store.result)).toEqual(comparable(whole.result));
  expect(await store.checkpoints()).toEqual([best]);
});
