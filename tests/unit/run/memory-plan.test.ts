import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/formats/user-error.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import type { MemoryKind } from '../../../src/gpu/memory.ts';
import { prepare } from '../../../src/run/input/prepare.ts';
import { estimateMemory } from '../../../src/run/plan/estimate.ts';
import { newExecutionPlanOf } from '../../../src/run/plan/execution-plan.ts';
import { memoryPlan, totalBytes, withinMemory } from '../../../src/run/plan/memory-plan.ts';
import { passInputOf } from '../../../src/run/plan/new-execution-plan.ts';
import { passInput } from '../../../src/run/plan/pass-size.ts';
import { planInput } from '../../../src/run/session.ts';
import { source } from '../../support/memory-folder.ts';
import { caseInputs } from '../../support/run-case.ts';

/** A device whose innermost out-of-memory scope reports `error`; `scopes` counts the open ones. */
function fakeGpu(error: object | null) {
  const device = {
    scopes: 0,
    pushErrorScope: () => void device.scopes++,
    popErrorScope: () => {
      device.scopes--;
      return Promise.resolve(error);
    },
  };
  return { gpu: { name: 'Tiny GPU', device } as unknown as Gpu, device };
}

describe('too little GPU memory', () => {
  const plan = new Map<MemoryKind, number>([
    ['embedding', 100 * 2 ** 20],
    ['base weights', 1900 * 2 ** 20],
  ]);

  it('is told with the figures of the plan, largest first, and what to lower', async () => {
    const { gpu, device } = fakeGpu({ message: 'no' });
    const error = await withinMemory(gpu, plan, () => Promise.resolve(1)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toBe(
      'GPU memory: 2,000 MiB are needed (base weights 1,900, embedding 100), and Tiny GPU has less to give; lower training.max_seq_length or lora.r, or close other programs that use the GPU.',
    );
    expect(device.scopes).toBe(0);
  });

  it('has a remedy that fits', async () => {
    const { gpu } = fakeGpu({ message: 'no' });
    await expect(withinMemory(gpu, plan, () => Promise.resolve(1), 'lower --max-new-tokens')).rejects.toThrow(
      /has less to give; lower --max-new-tokens\.$/,
    );
  });

  it('is not what other errors are taken for', async () => {
    const { gpu, device } = fakeGpu({ message: 'no' });
    const bug = new TypeError('a bug');
    await expect(withinMemory(gpu, plan, () => Promise.reject(bug))).rejects.toBe(bug);
    expect(device.scopes).toBe(0);
    expect(await withinMemory(fakeGpu(null).gpu, plan, () => Promise.resolve('fine'))).toBe('fine');
  });
});

describe('the plan without rows', () => {
  it.each([
    { maxLength: 64, accumulationSteps: 4, batchSize: 1, useV1: true },
    { maxLength: 400, accumulationSteps: 3, batchSize: 2, useV1: true },
    { maxLength: 33, accumulationSteps: 1, batchSize: 1, useV1: false },
    { maxLength: 40, accumulationSteps: 1, batchSize: 1, optimizer: 'adamw_torch' as const, useV1: true },
  ])('is that of a run over rows of full length: %o', async ({ useV1, ...training }) => {
    const inputs = await caseInputs('recipe_text', (recipe) => ({
      ...recipe,
      training: { ...recipe.training, ...training },
    }));
    const rows = Array.from({ length: 7 }, (_, i) => JSON.stringify({ text: `${i} wheel `.repeat(500) }));
    const all = {
      ...inputs,
      source: useV1 ? inputs.source : undefined,
      train: source('train.jsonl', rows.join('\n')),
      validation: undefined,
    };
    const prepared = await prepare(all, () => undefined);
    expect(prepared.longest).toBe(training.maxLength);
    const { passTokens } = passInput(passInputOf(prepared));
    const plan = newExecutionPlanOf({ name: 'any' } as Gpu, passTokens);
    const planned = memoryPlan(passInput(await estimateMemory(all)));
    expect([...planned]).toEqual([...memoryPlan(planInput(prepared, plan))]);
    expect(totalBytes(planned)).toBeGreaterThan(2 ** 20);
  });

  it('has the cache in which sample prompts are answered, asked as chats', async () => {
    const inputs = await caseInputs('recipe_text', (recipe) => ({
      ...recipe,
      training: { ...recipe.training, samplePrompts: ['Why?', 'How many wheels has it?'] },
    }));
    const messages = ['user', 'assistant'].map((role) => ({ role, content: 'A wheel.' }));
    const train = source('train.jsonl', `${JSON.stringify({ messages })}\n`.repeat(20));
    const { samples } = await prepare({ ...inputs, train, validation: undefined }, () => undefined);
    const estimated = await estimateMemory(inputs);
    expect(estimated.samples).toEqual(samples!.shape);
    const without = memoryPlan(passInput({ ...estimated, samples: undefined }));
    expect(totalBytes(memoryPlan(passInput(estimated)))).toBeGreaterThan(totalBytes(without));
  });
});
