import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { precisionsOf } from '../../../src/bench/bench.ts';
import { amountToTime } from '../../../src/bench/measure.ts';
import { keptLayers, keptNote } from '../../../src/bench/step-session.ts';
import { stepGroups } from '../../../src/bench/steps.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';
import type { Stream } from '../../../src/gpu/stream.ts';

describe('what steps are measured on', () => {
  it('short rows share a plan, a longer one has its own, and the mix that of steps of sixteen rows', () => {
    expect(stepGroups('1.5b', [128, 2048, 1024, 4096])).toEqual([
      { title: 'single rows of up to 1024 tokens', longest: 1024, window: 1024, tokens: [128, 1024] },
      { title: 'a row of 2048 tokens', longest: 2048, window: 2048, tokens: [2048] },
      { title: 'a row of 4096 tokens', longest: 4096, window: 4096, tokens: [4096] },
      { title: 'steps of 16 rows', longest: 1024, window: 16_384, tokens: [], mixed: [60, 600] },
    ]);
    expect(stepGroups('tiny', [])).toEqual([
      { title: 'steps of 16 rows', longest: 16, window: 256, tokens: [], mixed: [4, 16] },
    ]);
  });

  it('the precision that a run takes and those below it, or those that are asked for, each once', () => {
    const matrix = {
      dialect: 'order',
      shapes: [{ M: 16, N: 16, K: 16 }],
      subgroupSize: 32,
      sized: false,
    } as const;
    const features = new Set(['shader-f16', 'subgroups']);
    const plain = openNullGpu();
    const able = {
      ...plain,
      matrix,
      device: {
        features,
        limits: {
          ...plain.device.limits,
          maxComputeWorkgroupStorageSize: 2 ** 16,
          maxComputeInvocationsPerWorkgroup: 256,
          maxStorageBuffersPerShaderStage: 10,
        },
      } as unknown as GPUDevice,
    };
    expect(precisionsOf(plain)).toEqual(['f32']);
    expect(precisionsOf(able)).toEqual(['matrix', 'f16', 'f32']);
    expect(precisionsOf(able, ['f32', 'auto', 'matrix'])).toEqual(['f32', 'matrix']);
    // A precision that the device lacks is refused when measured.
    expect(precisionsOf(plain, ['auto', 'f16'])).toEqual(['f32', 'f16']);
  });

  it('what is kept, in words', () => {
    expect(keptLayers({ keep: '3321111' })).toBe('2 layers at level 3, 1 at level 2, 4 at level 1');
    expect(keptNote({ keep: '0', optimizer: 'paged' })).toBe(
      "Kept for the backward pass: 1 layer at level 0; the optimizer's state is paged to the host.",
    );
  });
});

it('an amount of work grows until it takes long enough, and never by more than ten times', async () => {
  const amounts: number[] = [];
  let wait = 0;
  let clock = 0; // milliseconds; a busy machine's real ones would count as work
  const now = vi.spyOn(performance, 'now').mockImplementation(() => clock);
  onTestFinished(() => now.mockRestore());
  const stream = { finish: () => Promise.resolve((clock += wait)) } as unknown as Stream;
  const found = await amountToTime(stream, (amount) => {
    amounts.push(amount);
    wait = amount / 4;
  });
  // The first call, which compiles, is made twice.
  expect(amounts.slice(0, 2)).toEqual([1, 1]);
  expect(found).toBe(amounts.at(-1));
  expect(found).toBeGreaterThan(30);
  amounts.slice(1).forEach((amount, i) => expect(amount).toBeLessThanOrEqual(10 * amounts[i]!));
});
