import { describe, expect, it } from 'vitest';
import type { Gpu } from '../../../src/gpu/device.ts';
import { ATTENTION_CLASSES, ATTENTIONS } from '../../../src/gpu/kernels/attention/index.ts';
import { NF4_FORWARD } from '../../../src/gpu/kernels/linear/index.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';
import { checkPlan, choosePrecision } from '../../../src/run/choose-kernels.ts';
import { prepare } from '../../../src/run/input/prepare.ts';
import { newExecutionPlanOf, openPlannedKernels } from '../../../src/run/plan/execution-plan.ts';
import { newExecutionPlan } from '../../../src/run/plan/new-execution-plan.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs } from '../../support/run-case.ts';

const softwareGpu: Gpu = { ...openNullGpu(), name: 'Tiny GPU', software: true };

describe('the plan of a new run', () => {
  const planned = async (precision?: 'auto' | 'f32' | 'f16' | 'matrix') => {
    const prepared = await prepare(await caseInputs('recipe_text'), () => undefined);
    return newExecutionPlan(softwareGpu, prepared, { precision, emit: () => undefined });
  };

  it('names the variant of every class of products of the model', async () => {
    const { precision, tiles, version } = await planned();
    expect([version, precision]).toEqual([4, 'f32']);
    const [forward, gradient] = ['forward', 'gradient'].map((direction) =>
      Object.keys(tiles)
        .filter((key) => key.startsWith(`${direction} `))
        .map((key) => key.slice(direction.length + 1))
        .toSorted(),
    );
    expect(gradient).toEqual(forward);
    // q and o, k and v, gate and up, down.
    expect(forward!.length).toBeGreaterThanOrEqual(3);
    const parts = ATTENTION_CLASSES.map((part) => [part, ATTENTIONS[part][0]!.name]);
    expect(tiles).toMatchObject(Object.fromEntries(parts));
    const attention = parts.map(([, name]) => name);
    // Of products a software device takes what computes least beside them.
    const products = [NF4_FORWARD[0]!.name, 'f32 128x64x16'];
    const defaults = [...products, 'f32', 'workgroup', ...attention];
    expect(new Set(Object.values(tiles))).toEqual(new Set(defaults));
    expect(await planned('f32')).toEqual(await planned('auto'));
  });

  it.each(['f16', 'matrix'] as const)(
    'is refused in precision %s where the device has none',
    async (precision) => {
      await expect(planned(precision)).rejects.toThrow(
        new RegExp(
          `^Precision ${precision}: Tiny GPU or its driver does not offer what it takes; choose auto or f32\\.$`,
        ),
      );
    },
  );
});

describe('the precision that a run chooses', () => {
  /** A GPU with these features, and perhaps subgroup matrices. */
  const gpuWith = (features: string[], matrix?: Gpu['matrix']): Gpu => {
    const { device } = openNullGpu();
    const limits = {
      ...device.limits,
      maxStorageBuffersPerShaderStage: 10,
      maxComputeWorkgroupStorageSize: 49152,
      maxComputeInvocationsPerWorkgroup: 1024,
    };
    const like = {
      device: { limits, features: new Set(features), adapterInfo: {} },
      software: false,
      matrix,
    };
    return openNullGpu(like as unknown as Gpu);
  };
  const units = {
    dialect: 'order',
    shapes: [{ M: 16, N: 16, K: 16 }],
    subgroupSize: 32,
    sized: false,
  } as const;
  const all = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];

  it('is the highest that a GPU has', () => {
    expect(choosePrecision(gpuWith([]), 'auto')).toBe('f32');
    expect(choosePrecision(gpuWith(['shader-f16']), 'auto')).toBe('f16');
    expect(choosePrecision(gpuWith(all, units), 'auto')).toBe('matrix');
  });

  it('is never one that exceeds its limits', () => {
    const wide = { ...units, subgroupSize: 512 };
    expect(choosePrecision(gpuWith(all, wide), 'auto')).toBe('f16');
  });

  it('is f32 on a software device', () => {
    expect(choosePrecision({ ...gpuWith(all, units), software: true }, 'auto')).toBe('f32');
  });
});

describe('the plan of a checkpoint', () => {
  const store = new MemoryStore();

  it('is gone on with by those who ask for its precision, or for none', () => {
    const plan = newExecutionPlanOf(softwareGpu, 200);
    for (const choice of [undefined, 'auto', 'f32'] as const) {
      checkPlan(store, plan, choice);
    }
  });

  it('is refused where another precision is asked for', () => {
    expect(() => checkPlan(store, newExecutionPlanOf(softwareGpu, 200), 'f16')).toThrow(
      /^memory: the unfinished run there computes in precision f32 from its first step on, not f16; resume in that precision, or start again with --resume never, or choose another output\.$/,
    );
  });

  it('is refused where it is of another version', () => {
    expect(() => checkPlan(store, { version: 2, precision: 'f32' })).toThrow(
      /^memory: the unfinished run there was planned by another version of Retune, whose kernels round differently \(plan 2, expected 4\); finish it with that version, or start again with --resume never, or choose another output\.$/,
    );
  });

  it('is refused where the device lacks one of its kernels', () => {
    const tiles = { 'forward 64x32': 'f32 128x128x16' };
    const plan = { ...newExecutionPlanOf(softwareGpu, 1), tiles, device: 'Large GPU' };
    expect(() => openPlannedKernels(softwareGpu, plan)).toThrow(
      /^Tiny GPU: the run began on Large GPU with a kernel that this GPU or its driver does not offer \(f32 128x128x16\); resume it there, or start a new run\.$/,
    );
  });
});
