import { beforeEach, describe, expect, it, vi } from 'vitest';
import { benchInputs } from '../../../src/bench/models.ts';
import { freeMemory } from '../../../src/gpu/free-memory.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';
import { choosePrecision, tunedKernels } from '../../../src/run/choose-kernels.ts';
import { DEFAULT_BUDGET_BYTES, keptWhole } from '../../../src/run/plan/memory-choice.ts';
import { newExecutionPlan, passInputOf } from '../../../src/run/plan/new-execution-plan.ts';
import { largestInput, passInput } from '../../../src/run/plan/pass-size.ts';

vi.mock('../../../src/gpu/free-memory.ts');
vi.mock('../../../src/run/choose-kernels.ts');

/** Qwen2.5-1.5B with rows of up to 600 tokens, 5280 in a step. */
const mix = { longest: 600, windowTokens: 5280 };
const prepared = { ...benchInputs('1.5b', mix.longest, mix.windowTokens), ...mix };
const input = passInputOf(prepared);
/** A GPU that binds buffers of any size. */
const hardware = (maxStorageBufferBindingSize = 2 ** 31) => {
  const gpu = openNullGpu();
  const device = { limits: { ...gpu.device.limits, maxStorageBufferBindingSize } } as GPUDevice;
  return { ...gpu, device };
};

describe('the plan of a new run on a GPU', () => {
  beforeEach(() => {
    vi.mocked(choosePrecision).mockReturnValue('f32');
    vi.mocked(tunedKernels).mockResolvedValue({ precision: 'f32', tiles: {} });
  });

  const planned = async (free: number, gpu = hardware()) => {
    vi.mocked(freeMemory).mockClear().mockResolvedValue(free);
    return newExecutionPlan(gpu, prepared, { emit: () => undefined });
  };

  it('has passes and layers by the memory that is free, and kernels for passes of that size', async () => {
    const whole = keptWhole(passInput(input, 2048));
    expect(await planned(whole)).toMatchObject({
      passTokens: 2048,
      keep: '3'.repeat(28),
      optimizer: 'resident',
    });
    expect(vi.mocked(tunedKernels).mock.lastCall![2]).toBe(2048);
    const most = keptWhole(largestInput(input, Infinity));
    expect(vi.mocked(freeMemory).mock.lastCall![1]).toEqual({ most, ofHost: DEFAULT_BUDGET_BYTES });
    const some = await planned(3 * 2 ** 30);
    expect(some.passTokens).toBe(1024);
    expect(some.keep).toMatch(/^3+2*1+$/);
  });

  it.each(['f16', 'matrix'] as const)(
    'in %s saves gate and up in 16 bits, and so more layers',
    async (precision) => {
      const before = await planned(3 * 2 ** 30);
      expect(before.savedFormat).toBeUndefined();
      vi.mocked(choosePrecision).mockReturnValue(precision);
      vi.mocked(tunedKernels).mockResolvedValue({ precision, tiles: {} });
      const plan = await planned(3 * 2 ** 30);
      expect(plan).toMatchObject({ savedFormat: 'f16', passTokens: 1024 });
      const whole = (text = '') => text.replace(/[^3]/g, '').length;
      expect(whole(plan.keep)).toBeGreaterThan(whole(before.keep));
    },
  );

  it('begins with the least where less is free than a run takes: the device itself may refuse it', async () => {
    expect(await planned(2 ** 30)).toMatchObject({
      passTokens: 1024,
      keep: '0'.repeat(28),
      optimizer: 'paged',
    });
  });

  it('wants no more than passes whose buffers it can bind', async () => {
    const limit = 128 * 2 ** 20;
    expect((await planned(2 ** 40, hardware(limit))).passTokens).toBe(2048);
    const most = keptWhole(largestInput(input, limit));
    expect(vi.mocked(freeMemory).mock.lastCall![1].most).toBe(most);
  });

  it('does not look for memory where it was told how much, or on a CPU', async () => {
    vi.mocked(freeMemory).mockClear();
    await newExecutionPlan(hardware(), prepared, { memory: 4e9, emit: () => undefined });
    await newExecutionPlan({ ...openNullGpu(), software: true }, prepared, { emit: () => undefined });
    expect(freeMemory).not.toHaveBeenCalled();
  });
});
