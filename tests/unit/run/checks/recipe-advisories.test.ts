import { describe, expect, it } from 'vitest';
import { newAdapterConfig, parseAdapterConfig } from '../../../../src/formats/adapter-config.ts';
import type { DecoderConfig } from '../../../../src/formats/decoder-config.ts';
import { defaultRecipe, parseRecipe } from '../../../../src/formats/recipe.ts';
import type { TrainingSettings } from '../../../../src/formats/recipe/settings.ts';
import { type Advisory, advisoryText } from '../../../../src/run/checks/advisory.ts';
import {
  learningRateAdvisory,
  modulesAdvisory,
  shortEpochAdvisory,
  warmupAdvisory,
} from '../../../../src/run/checks/recipe-advisories.ts';
import { maxSteps, warmupSteps } from '../../../../src/train/schedule.ts';

const { training: DEFAULT, lora } = defaultRecipe();
const settingsOf = (advisory: Advisory | undefined) => {
  const [remedy] = advisory!.remedies;
  return remedy?.kind === 'set' ? remedy.settings : undefined;
};

describe('the learning rate', () => {
  const of = (learningRate: number, hiddenSize = 1536, fresh = false) =>
    learningRateAdvisory({ learningRate }, { hiddenSize }, fresh);

  it.each([1e-5, 5e-5, 2e-4, 1e-3, 2e-3])('%d is not remarked', (rate) => {
    expect(of(rate)).toBeUndefined();
    expect(of(rate, 1536, true)).toBeUndefined();
  });

  it('may be higher for a narrow model', () => {
    expect(of(5e-3, 192)).toBeUndefined();
    expect(of(5e-3, 4096)).toBeDefined();
  });

  it.each([0.05, 1, 5e-3])('%d is far too high', (rate) => {
    expect(settingsOf(of(rate))).toEqual({ learning_rate: 5e-5 });
    expect(settingsOf(of(rate, 1536, true))).toEqual({ learning_rate: 2e-4 });
    expect(of(rate, 1536, true)!.remedies).not.toEqual([]);
  });

  it('is told with its figures', () => {
    expect(advisoryText(of(0.05)!)).toBe(
      'learning_rate is 0.05, so high that the loss is likely to rise or to stop being a number: for LoRA on a model of this width (1,536) 1.2e-5 to 6.1e-4 is usual; set learning_rate to 5e-5.',
    );
    expect(of(1e-9)!.found).toMatch(/^learning_rate is 1e-9, so low that the adapter hardly changes:/);
  });
});

describe('the schedule', () => {
  const of = (change: Partial<TrainingSettings>, steps = 60) =>
    warmupAdvisory({ ...DEFAULT, ...change }, steps);

  it.each([
    {},
    { warmupRatio: 0.1 },
    { warmupSteps: 59 },
    { warmupSteps: 0.5 },
    { warmupSteps: 100, schedule: 'constant' as const },
  ])('%j warms up before it ends', (change) => {
    expect(of(change)).toBeUndefined();
  });

  it.each([
    [{ warmupSteps: 100 }, 'warmup_steps is 100 and the run has 60 steps', '2.9e-5'],
    [
      { warmupSteps: 60, schedule: 'cosine' as const },
      'warmup_steps is 60 and the run has 60 steps',
      '4.9e-5',
    ],
    [{ warmupRatio: 1 }, 'warmup_ratio is 1 and the run has 60 steps', '4.9e-5'],
  ])('%j ends before it has warmed up', (change, begin, peak) => {
    const advisory = of(change)!;
    expect(advisory.found).toBe(
      `${begin}, so that it ends before the learning rate has warmed up: it reaches ${peak} of 5e-5`,
    );
    const mended = settingsOf(advisory)!;
    expect(mended).toEqual({ warmup_steps: 0, warmup_ratio: 0.05 });
    expect(warmupSteps(60, { warmupSteps: 0, warmupRatio: 0.05 })).toBe(3);
  });

  it('of a single step reaches nothing', () => {
    expect(of({ warmupSteps: 5 }, 1)!.found).toMatch(/it reaches 0 of 5e-5$/);
    // A ratio rounds up to the only step; without warmup there is nothing to remark.
    expect(of({}, 1)).toBeUndefined();
  });
});

describe('an epoch', () => {
  it.each([
    [480, 1, 16],
    [16, 1, 16],
    [16, 4, 4],
    [1, 1, 1],
  ])('of %d rows in steps of %d × %d is long enough', (rows, batch, accumulation) => {
    expect(shortEpochAdvisory({ rows, batch, accumulation })).toBeUndefined();
  });

  it.each([
    [12, 1, 16],
    [3, 1, 16],
    [12, 8, 2],
    [12, 32, 1],
    [1, 2, 1],
    [15, 4, 4],
  ])('of %d rows in steps of %d × %d is not, and is mended', (rows, batch, accumulation) => {
    const advisory = shortEpochAdvisory({ rows, batch, accumulation })!;
    expect(advisory.found).toContain(`per_device_train_batch_size ${batch} × `);
    const set = settingsOf(advisory) as Record<string, number>;
    const mended = {
      rows,
      batch: set['per_device_train_batch_size'] ?? batch,
      accumulation: set['gradient_accumulation_steps'] ?? accumulation,
    };
    expect(shortEpochAdvisory(mended)).toBeUndefined();
    expect(maxSteps(mended, 1)).toBeGreaterThanOrEqual(Math.min(rows, 4));
  });
});

describe('modules', () => {
  const decoder = { layers: 2, hiddenSize: 64, intermediateSize: 96, heads: 2, kvHeads: 1, headDim: 32 };
  const of = (targetModules: readonly string[] | string, fresh = true) => {
    const config = fresh
      ? newAdapterConfig({ ...lora, targetModules }, 'base')
      : parseAdapterConfig(
          { peft_type: 'LORA', r: 4, lora_alpha: 8, target_modules: targetModules },
          'v1/adapter_config.json',
        );
    return modulesAdvisory({ config }, decoder as DecoderConfig, fresh);
  };

  it.each([
    [['q_proj', 'down_proj']],
    [['self_attn.q_proj', 'model.layers.1.mlp.up_proj']],
    ['all-linear'],
    ['.*q_proj'],
  ])('%j are there', (names) => {
    expect(of(names)).toBeUndefined();
  });

  it('that do not exist are named, and taken out', () => {
    const advisory = of(['q_proj', 'qkv_proj', 'model.layers.2.mlp.up_proj'])!;
    expect(advisory.found).toContain(
      'target_modules has "qkv_proj", "model.layers.2.mlp.up_proj", which no module of the base is called',
    );
    expect(settingsOf(advisory)).toEqual({ target_modules: ['q_proj'] });
    const text = `lora:\n  target_modules: [${(settingsOf(advisory)!['target_modules'] as string[]).join(', ')}]\n`;
    expect(parseRecipe(text, 'r.yaml').recipe.lora.targetModules).toEqual(['q_proj']);
  });

  it('of V1 cannot be mended here', () => {
    const advisory = of(['v_proj', 'c_attn'], false)!;
    expect(advisory.found).toMatch(/^v1\/adapter_config\.json: target_modules has "c_attn", /);
    expect(advisory.remedies).toEqual([]);
  });
});
