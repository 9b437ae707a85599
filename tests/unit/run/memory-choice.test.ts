import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../../src/formats/user-error.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { parseSaved } from '../../../src/model/activation-checkpointing.ts';
import { estimateMemory } from '../../../src/run/plan/estimate.ts';
import {
  chooseMemory,
  DEFAULT_BUDGET_BYTES,
  fittingChoice,
  keepChoice,
  type MemoryChoice,
  smallerChoices,
  smallestChoice,
  standardChoice,
  withChoice,
} from '../../../src/run/plan/memory-choice.ts';
import {
  checkpointBytes,
  memoryPlan,
  type MemoryPlanInput,
  totalBytes,
  unlessOutOfMemory,
} from '../../../src/run/plan/memory-plan.ts';
import { passInput } from '../../../src/run/plan/pass-size.ts';
import { caseInputs } from '../../support/run-case.ts';

const LAYERS = 12;
let input: MemoryPlanInput;
beforeAll(async () => {
  const { model, modules, ...rest } = passInput(await estimateMemory(await caseInputs('recipe_text')));
  // The case has two layers: here they stand for twelve.
  const tensors = new Map(model.tensors);
  for (const [name, info] of model.tensors) {
    for (let copy = 1; copy < LAYERS / 2; copy++) {
      tensors.set(
        name.replace(/layers\.(\d)/, (_, n) => `layers.${Number(n) + 2 * copy}`),
        info,
      );
    }
  }
  const copies = Array.from({ length: LAYERS / 2 }, (_, copy) =>
    modules.map((m) => ({ ...m, layer: m.layer + 2 * copy })),
  );
  const config = { ...model.config, layers: LAYERS };
  input = { ...rest, model: { ...model, config, tensors }, modules: copies.flat() };
});

/** Everything that a run with this choice holds at once. */
const needs = (choice: MemoryChoice) => {
  const chosen = withChoice(input, choice);
  return totalBytes(memoryPlan(chosen)) + checkpointBytes(chosen);
};

const everything: MemoryChoice = { keep: '3'.repeat(LAYERS), optimizer: 'resident' };
const sum = ({ keep }: MemoryChoice) => parseSaved(keep).reduce<number>((a, b) => a + b, 0);

describe('what is kept within a budget', () => {
  it('stays within it, and is more the larger it is', () => {
    const [least, most] = [needs(smallestChoice(input)), needs(everything)];
    expect(fittingChoice(input, least - 1)).toBeUndefined();
    expect(fittingChoice(input, least)).toEqual({ keep: '0'.repeat(LAYERS), optimizer: 'paged' });
    let before = smallestChoice(input);
    const seen = new Set<string>();
    for (let i = 0; i <= 60; i++) {
      const budget = least + Math.ceil(((most - least) * i) / 60);
      const choice = fittingChoice(input, budget)!;
      expect(needs(choice)).toBeLessThanOrEqual(budget);
      expect(sum(choice)).toBeGreaterThanOrEqual(sum(before));
      before = choice;
      seen.add(choice.keep);
    }
    expect(before).toEqual(everything);
    expect(seen.size).toBeGreaterThan(20);
  });

  it('keeps attention of all layers and the state on the device before it keeps more of any', () => {
    const standard = standardChoice(input);
    expect(fittingChoice(input, needs(standard))).toEqual(standard);
    expect(fittingChoice(input, needs(standard) - 1)!.optimizer).toBe('paged');
    expect(sum(fittingChoice(input, needs(everything) - 1)!)).toBe(sum(everything) - 1);
  });
});

describe('a run chooses', () => {
  it('what fits its budget, otherwise reports what is needed and what to lower', () => {
    const budget = needs(everything);
    expect(chooseMemory(input, { budget, fill: false })).toEqual(everything);
    const least = needs(smallestChoice(input));
    const refused = () => chooseMemory(input, { budget: least - 1, fill: true });
    expect(refused).toThrow(UserError);
    expect(refused).toThrow(
      /^Memory: [\d,]+ MiB are allowed, and this run needs at least [\d,]+ MiB \((.* [\d,]+, )+.* [\d,]+\); lower training\.max_seq_length or lora\.r, or allow more\.$/,
    );
  });

  it('without a budget as much as any GPU has, on a software device the standard', () => {
    expect(needs(everything)).toBeLessThan(DEFAULT_BUDGET_BYTES);
    expect(chooseMemory(input, { budget: undefined, fill: true })).toEqual(everything);
    expect(chooseMemory(input, { budget: undefined, fill: false })).toEqual(standardChoice(input));
  });

  it('what an earlier start chose, where the budget still allows it', () => {
    expect(keepChoice(input, everything, undefined)).toEqual(everything);
    expect(keepChoice(input, smallestChoice(input), needs(everything))).toEqual(smallestChoice(input));
    expect(keepChoice(input, everything, needs(everything) - 1)).not.toEqual(everything);
    expect(() => keepChoice(input, everything, needs(smallestChoice(input)) - 1)).toThrow(
      /^Memory: .*; this run began with passes of \d+ tokens, which its numbers depend on: allow more, resume on a GPU that has more, or start a new run\.$/,
    );
  });

  it('less and less where the device refuses', () => {
    const [halfway, ...rest] = smallerChoices(input, everything);
    expect(sum(halfway!)).toBeGreaterThan(LAYERS);
    expect(rest).toEqual([standardChoice(input), smallestChoice(input)]);
    expect(smallerChoices(input, standardChoice(input))).toEqual([smallestChoice(input)]);
    expect(smallerChoices(input, smallestChoice(input))).toEqual([]);
  });
});

describe('trying an allocation', () => {
  /** A device whose scopes report these errors, by filter. */
  function fakeGpu(reports: Partial<Record<GPUErrorFilter, string>>) {
    const scopes: GPUErrorFilter[] = [];
    const device = {
      pushErrorScope: (filter: GPUErrorFilter) => void scopes.push(filter),
      popErrorScope: () => {
        const message = reports[scopes.pop()!];
        return Promise.resolve(message === undefined ? null : { message });
      },
    };
    return { gpu: { device, errors: [] as string[] } as unknown as Gpu, scopes };
  }
  const closed: number[] = [];
  const attempt = (gpu: Gpu) =>
    unlessOutOfMemory(
      gpu,
      () => 7,
      (made) => void closed.push(made),
    );

  it('frees what was made of it where there is too little memory', async () => {
    const { gpu, scopes } = fakeGpu({ 'out-of-memory': 'no', validation: 'a buffer that is none' });
    expect(await attempt(gpu)).toBeUndefined();
    expect(closed.splice(0)).toEqual([7]);
    expect(gpu.errors).toEqual([]);
    expect(scopes).toEqual([]);
  });

  it('hides no mistakes', async () => {
    const { gpu, scopes } = fakeGpu({ validation: 'wrong' });
    expect(await attempt(gpu)).toBe(7);
    expect(gpu.errors).toEqual(['wrong']);
    const bug = () => {
      throw new TypeError('a bug');
    };
    await expect(unlessOutOfMemory(gpu, bug, bug)).rejects.toThrow('a bug');
    expect(closed).toEqual([]);
    expect(scopes).toEqual([]);
  });
});
