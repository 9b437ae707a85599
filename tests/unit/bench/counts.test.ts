import { beforeAll, describe, expect, it } from 'vitest';
import { globals } from 'webgpu';
import { attentionShare, countStep, type StepCounts } from '../../../src/bench/counts.ts';
import { benchInputs } from '../../../src/bench/models.ts';
import { mixedRows } from '../../../src/bench/rows.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';
import { plainPass } from '../../../src/run/plan/dry-run.ts';
import { newExecutionPlanOf } from '../../../src/run/plan/execution-plan.ts';
import { memoryPlan, totalBytes } from '../../../src/run/plan/memory-plan.ts';
import { planInput, withMemory } from '../../../src/run/session.ts';
import { packWindow } from '../../../src/text/packing.ts';
import { openMatrixGpu } from '../../support/matrix-gpu.ts';

Object.assign(globalThis, globals);

const TOKENS = 1024;
const inputs = benchInputs('1.5b', TOKENS, TOKENS);
const plan = newExecutionPlanOf(openNullGpu(), TOKENS);
let counts: StepCounts;
beforeAll(async () => {
  counts = await countStep(inputs, plan, [plainPass(TOKENS)]);
});

/** GFLOP per token. */
const perToken = (work: number) => work / TOKENS / 1e9;

describe('a step of Qwen2.5-1.5B at 1024 tokens, counted without a device', () => {
  it('is the work that arithmetic gives: 3.25 GFLOP forward, 3.5 for gradients, 8.7 with recomputation', () => {
    const { forward, backward, recompute } = counts;
    expect(perToken(forward)).toBeCloseTo(3.25, 1);
    expect(perToken(backward)).toBeGreaterThan(3.4);
    expect(perToken(backward)).toBeLessThan(3.65);
    expect(perToken(forward + backward + recompute)).toBeGreaterThan(8.4);
    expect(perToken(forward + backward + recompute)).toBeLessThan(8.75);
  });

  it('reckons the head exactly', () => {
    // Every token but the last is a target, each against 151,936 rows of 1536.
    const head = 2 * (TOKENS - 1) * 151936 * 1536;
    const of = (name: RegExp) =>
      [...counts.kernels].filter(([k]) => name.test(k)).map(([, { work }]) => work);
    expect(of(/^head_matmul$/)).toEqual([head]);
    expect(of(/^head_matmul_grad$/)).toEqual([head]);
  });

  it('takes the memory that the plan says', () => {
    expect(counts.gpuBytes).toBe(totalBytes(memoryPlan(planInput(inputs, plan))));
  });

  it('is at most 1,490 dispatches with the least that is kept, and 1,185 with everything', async () => {
    expect(counts.dispatches).toBeGreaterThan(1000);
    expect(counts.dispatches).toBeLessThanOrEqual(1490);
    const whole = { ...plan, keep: '3'.repeat(28) };
    const { dispatches } = await countStep(inputs, whole, [plainPass(TOKENS)]);
    expect(dispatches).toBeLessThanOrEqual(1185);
  });

  it('is at most 1,300 dispatches that bind 40 GB with what is kept within 3.5 GiB', async () => {
    const { dispatches, bytes, gpuBytes } = await countStep(inputs, withMemory(plan, openNullGpu(), inputs), [
      plainPass(TOKENS),
    ]);
    expect(dispatches).toBeLessThanOrEqual(1300);
    expect(bytes).toBeLessThan(40e9);
    expect(gpuBytes).toBeLessThan(3.5 * 2 ** 30);
  });

  it('recomputes nothing within 3.5 GiB with gate and up in f16, holds what its plan says, and binds less', async () => {
    const [rounded, gpu] = [{ ...plan, savedFormat: 'f16' } as const, openNullGpu()];
    const whole = withMemory(rounded, gpu, inputs);
    expect(whole.keep).toBe('3'.repeat(28));
    const found = await countStep(inputs, whole, [plainPass(TOKENS)]);
    expect(found.recompute).toBe(0);
    expect(found.dispatches).toBeLessThanOrEqual(1185);
    expect(found.bytes).toBeLessThan(39.5e9);
    expect(found.gpuBytes).toBe(totalBytes(memoryPlan(planInput(inputs, whole))));
    expect(found.gpuBytes).toBeLessThan(3.5 * 2 ** 30);
    const halved = [...found.kernels].filter(([name]) => name.endsWith(' in halves'));
    expect(halved.map(([name, { calls }]) => [name, calls])).toEqual([
      ['lora_project_whole in halves', 28],
      ['lora_gated_gradient in halves', 28],
    ]);
    // Nothing of the plans before it, or of f32, is computed so.
    expect([...counts.kernels.keys()].filter((name) => / in halves$|^gated_/.test(name))).toEqual([]);
  });

  it('is another one for a plan of earlier versions, which summed LoRA’s gradients apart', async () => {
    const { gathered, ...earlier } = plan;
    expect(gathered).toBe(true);
    const { kernels, dispatches } = await countStep(inputs, earlier, [plainPass(TOKENS)]);
    expect(dispatches).toBe(counts.dispatches + 28);
    expect(kernels.get('swiglu_backward')?.calls).toBe(28);
    expect(kernels.has('lora_gated_gradient')).toBe(false);
    expect(counts.kernels.has('swiglu_backward')).toBe(false);
  });

  it('decodes and packs in at most 450 dispatches on subgroup matrices within 3.5 GiB, attention’s apart', async () => {
    const gpu = openMatrixGpu();
    const onMatrices = newExecutionPlanOf(gpu, TOKENS, { precision: 'matrix', tiles: {} });
    const whole = withMemory(onMatrices, gpu, inputs);
    expect(whole.keep).toBe('3'.repeat(28));
    const { kernels } = await countStep(inputs, whole, [plainPass(TOKENS)], gpu);
    const calls = (name: RegExp) =>
      [...kernels].reduce((sum, [kernel, count]) => sum + (name.test(kernel) ? count.calls : 0), 0);
    // Of q, k, v; o; gate, up; down, each way, but for the first layer's input, which has no gradient.
    expect([calls(/^pack_weights /), calls(/^pack_rows /)]).toEqual([8 * 28 - 1, 8 * 28 - 1]);
    expect(calls(/^pack_/)).toBeLessThanOrEqual(450);
    expect(calls(/^attention_pack,/)).toBe(3 * 28);
  });

  it('adds up no slices but those of the head: of its gradient, for each chunk of rows two, and one for the few of the last', () => {
    expect(counts.kernels.get('sum_slices')?.calls).toBe(11);
  });
});

it('attention is counted within documents: packed rows do as much as rows one a pass', async () => {
  const rows = mixedRows(512, 4, 16);
  const packed = packWindow(rows, 64);
  const single = rows.flatMap((row) => packWindow([row], 64));
  expect(packed.length).toBeLessThan(single.length / 3);
  const tiny = benchInputs('tiny', 64, 16 * 16);
  const work = async (passes: typeof packed): Promise<number[]> => {
    const { kernels } = await countStep(tiny, newExecutionPlanOf(openNullGpu(), 16 * 16), passes);
    return ['attention', 'attention_backward_kv', 'attention_backward_q'].map(
      (name) => kernels.get(name)!.work,
    );
  };
  const expected = await work(single);
  const pairs = (n: number) => (n * (n + 1)) / 2;
  const lengths = rows.reduce((sum, { row }) => sum + pairs(row.ids.length), 0);
  const passes = packed.reduce((sum, { ids }) => sum + pairs(ids.length), 0);
  expect(attentionShare(packed)).toBeCloseTo(lengths / passes, 12);
  for (const [i, found] of (await work(packed)).entries()) {
    expect(found).toBeGreaterThan(0);
    expect(found / expected[i]!).toBeCloseTo(1, 12);
  }
});
