import { expect, it } from 'vitest';
import { difference } from '../../../src/app/setup/measured-speeds.ts';
import type { Recipe } from '../../../src/formats/recipe.ts';
import type { TrainingSettings } from '../../../src/formats/recipe/settings.ts';
import { prepare } from '../../../src/run/input/prepare.ts';
import { speedConditions, workOf } from '../../../src/run/training-speed.ts';
import { caseInputs, dropoutInputs } from '../../support/run-case.ts';

const set =
  (settings: Partial<TrainingSettings>) =>
  (r: Recipe): Recipe => ({ ...r, training: { ...r.training, ...settings } });
const prepared = async (change?: (r: Recipe) => Recipe) =>
  prepare(await caseInputs('batch2', change), () => undefined);
const quiet = () => undefined;

const BEFORE = await prepared();
const measured = speedConditions(BEFORE);

it('stays as measured over what changes what a run learns, not how long a token takes', async () => {
  const now = await prepared(
    set({
      ...{ epochs: 9, learningRate: 1, schedule: 'cosine', warmupSteps: 3, weightDecay: 0.5, adamBeta1: 0.5 },
      ...{ evalSteps: 1, evalBatchSize: 7, saveSteps: 1, saveTotalLimit: 0, loggingSteps: 5 },
      ...{ optimizer: 'adamw_bnb_8bit', maxGradNorm: 0, earlyStoppingPatience: 3 },
    }),
  );
  expect(difference(measured, speedConditions(now))).toBeUndefined();
  // Three evaluations and that of the start become as many as there are steps, and one; 9 epochs stand for 2 3/7.
  expect(workOf(now) / workOf(BEFORE)).toBeGreaterThan(3);
});

it('does not hold for what takes another time, and says what that is', async () => {
  const after = async (change: (r: Recipe) => Recipe) =>
    difference(measured, speedConditions(await prepared(change)));
  expect(await after(set({ maxLength: 24 }))).toBe('34 tokens in the longest row; now 24.');
  expect(await after(set({ batchSize: 20 }))).toMatch(/^\d+ tokens per pass; now \d+\.$/);
  expect(await after(set({ optimizer: 'adamw_torch' }))).toBe('optimizer state 8-bit; now 32-bit.');
  expect(await after((r) => ({ ...r, quantization: { useDoubleQuant: false } }))).toBe(
    'double quantization on; now off.',
  );
  const dropped = await prepare(await dropoutInputs('batch2', 0.1), quiet);
  expect(difference(measured, speedConditions(dropped))).toBe('dropout off; now on.');
  const fresh = async (r: number, targetModules: string[]) => {
    const inputs = await caseInputs('batch2', (recipe) => ({
      ...recipe,
      lora: { ...recipe.lora, r, targetModules },
    }));
    return speedConditions(await prepare({ ...inputs, source: undefined }, quiet));
  };
  expect(difference(measured, await fresh(16, ['q_proj']))).toBe('rank 32; now 16.');
  expect(difference(measured, await fresh(32, ['q_proj']))).toBe('another set of adapted modules.');
  expect(difference(measured, speedConditions(await prepare(await caseInputs('qwen3'), quiet)))).toBe(
    'another base model.',
  );
});

it('packed rows take another time', async () => {
  const packed = await prepared(set({ packing: true, maxLength: 64 }));
  expect(difference(measured, speedConditions(packed))).toBe('Packing off; now on.');
});
