import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import { UserError } from '../../src/formats/user-error.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { Pacer } from '../../src/gpu/pacer.ts';
import type { FinetuneOptions } from '../../src/run/options.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { caseInputs, comparable, run } from '../support/run-case.ts';

/** Two steps and an evaluation. */
const inputs = () =>
  caseInputs('batch2', (r) => ({
    ...r,
    training: { ...r.training, epochs: 1, accumulationSteps: 4, evalSteps: 2, maxEvalSamples: 3 },
  }));

let gpu: Gpu;
let plain: Awaited<ReturnType<typeof trained>>;
beforeAll(async () => {
  gpu = await openNodeGpu('floor');
  plain = await trained();
});
afterAll(() => gpu.close());
afterEach(() => vi.restoreAllMocks());

async function trained(call: Pick<FinetuneOptions, 'yieldGpu'> = {}) {
  const submits = vi.spyOn(gpu.device.queue, 'submit').mockClear();
  const late = vi.spyOn(gpu.device, 'createComputePipeline');
  const ahead = vi.spyOn(gpu.device, 'createComputePipelineAsync');
  const store = new MemoryStore();
  const { events } = await run({
    inputs: await inputs(),
    store,
    openGpu: () => Promise.resolve(gpu),
    ...call,
  });
  const labels = late.mock.calls.map(([{ label }]) => label);
  return {
    result: comparable(store.result),
    events,
    submits: submits.mock.calls.length,
    late: labels,
    ahead: ahead.mock.calls.length,
  };
}

const budget = (work: number) => vi.spyOn(Pacer.prototype, 'budget', 'get').mockReturnValue(work);

describe('a run', () => {
  it('ends in the same bytes however its work is cut, with room left for others and without', async () => {
    budget(1);
    const fine = await trained();
    budget(Infinity);
    const coarse = await trained();
    vi.restoreAllMocks();
    const roomy = await trained({ yieldGpu: true });
    for (const { result } of [fine, coarse, roomy]) {
      expect(result).toEqual(plain.result);
    }
    expect(fine.submits).toBeGreaterThan(5 * coarse.submits);
  });

  it('compiles every kernel ahead of its first step, and tells how far it is', () => {
    const { events, late, ahead } = plain;
    const phases = events.filter((e) => e.type === 'phase' && e.phase === 'compiling kernels');
    expect(ahead).toBeGreaterThan(15);
    expect(phases.map((e) => e.type === 'phase' && [e.done, e.total])).toEqual(
      Array.from({ length: ahead + 1 }, (_, done) => [done, ahead]),
    );
    // Loading comes before it.
    expect(late).toEqual([
      'find_not_finite, FORMAT=0',
      'find_not_finite, FORMAT=2',
      'nf4_quantize, FORMAT=0',
    ]);
    const first = events.findIndex((e) => e.type === 'step');
    expect(events.lastIndexOf(phases.at(-1)!)).toBeLessThan(first);
  });

  it('names the kernel that a driver cannot compile', async () => {
    const other = await openNodeGpu('floor');
    vi.spyOn(other.device, 'createComputePipelineAsync').mockImplementation(({ label }) =>
      label === 'swiglu'
        ? Promise.reject(new Error('too many registers.\nlog'))
        : Promise.resolve({} as never),
    );
    const failed = run({
      inputs: await inputs(),
      store: new MemoryStore(),
      openGpu: () => Promise.resolve(other),
    });
    await expect(failed).rejects.toThrow(
      new UserError(
        `${other.name}: the kernel swiglu could not be compiled (too many registers); update the graphics driver, or choose another GPU.`,
      ),
    );
    other.close();
  });
});
