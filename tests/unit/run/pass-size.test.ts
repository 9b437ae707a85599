import { beforeAll, describe, expect, it } from 'vitest';
import { benchInputs } from '../../../src/bench/models.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';
import { keptWhole } from '../../../src/run/plan/memory-choice.ts';
import { newExecutionPlan, passInputOf } from '../../../src/run/plan/new-execution-plan.ts';
import {
  largestInput,
  type PassInput,
  passInput,
  passTokens,
  sizedInput,
} from '../../../src/run/plan/pass-size.ts';

const MIX = { longest: 600, windowTokens: 5280 };
/** Qwen2.5-1.5B with rows of up to 600 tokens, 5280 in a step. */
const prepared = { ...benchInputs('1.5b', MIX.longest, MIX.windowTokens), ...MIX };
const quiet = () => undefined;
let input: PassInput;
beforeAll(() => {
  input = passInputOf(prepared);
});

it('a pass holds the longest row, and no more than a step', () => {
  expect([passTokens(600, 5280), passTokens(2048, 9000), passTokens(60, 700)]).toEqual([1024, 2048, 700]);
  expect([passTokens(600, 5280, 4096), passTokens(600, 3000, 4096)]).toEqual([4096, 3000]);
});

describe('passes are as large as memory lets them be with everything kept', () => {
  it('and of 1024 tokens where not everything fits', () => {
    for (const size of [2048, 4096]) {
      const bytes = keptWhole(passInput(input, size));
      expect(sizedInput(input, bytes, Infinity).passTokens).toBe(size);
      expect(sizedInput(input, bytes - 1, Infinity).passTokens).toBe(size === 4096 ? 2048 : 1024);
    }
    expect(sizedInput(input, 2 ** 30, Infinity)).toEqual(passInput(input));
    expect(largestInput(input, Infinity).passTokens).toBe(4096);
  });

  it('and its widest buffer can be bound', () => {
    // 4096 × 8960 floats are 140 MiB.
    expect(largestInput(input, 140 * 2 ** 20).passTokens).toBe(4096);
    expect(largestInput(input, 140 * 2 ** 20 - 1).passTokens).toBe(2048);
    expect(largestInput(input, 2 ** 26).passTokens).toBe(1024);
  });

  it('and never smaller than the longest row', () => {
    const long = passInputOf({ ...prepared, longest: 3000 });
    expect(passInput(long).passTokens).toBe(3000);
    expect(sizedInput(long, 2 ** 50, Infinity).passTokens).toBe(4096);
  });
});

describe('the plan of a new run', () => {
  it('has passes and layers by the memory that was told', async () => {
    const gpu = { ...openNullGpu(), software: true };
    const plan = (memory?: number) => newExecutionPlan(gpu, prepared, { memory, emit: quiet });
    expect(await plan()).toMatchObject({ passTokens: 1024, keep: '1'.repeat(28) });
    const whole = keptWhole(passInput(input, 2048));
    expect(await plan(whole)).toMatchObject({ passTokens: 2048, keep: '3'.repeat(28) });
    const less = await plan(4e9);
    expect(less.passTokens).toBe(1024);
    expect(new Set(less.keep)).toEqual(new Set('31'));
  });
});
