import { expect, it, vi } from 'vitest';
import { globals } from 'webgpu';
import { benchInputs } from '../../../src/bench/models.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';
import { drySession, plainPass } from '../../../src/run/plan/dry-run.ts';
import { newExecutionPlanOf } from '../../../src/run/plan/execution-plan.ts';

Object.assign(globalThis, globals);

it('passes of all lengths share their bind groups and buffers, at the shapes of Qwen2.5-1.5B', async () => {
  const plan = newExecutionPlanOf(openNullGpu(), 2048);
  const { stream, runner, optimizer } = drySession(benchInputs('1.5b', 2048, 2048), plan);
  const made = [
    vi.spyOn(stream.gpu.device, 'createBindGroup'),
    vi.spyOn(stream.gpu.device, 'createBuffer'),
  ].map(({ mock }) => mock);
  const run = async (tokens: number) => {
    const pass = plainPass(tokens);
    await runner.train([pass], optimizer, { t: 1, learningRate: 0, seed: 0, epoch: 0 });
    await runner.evaluate(pass);
    return made.map(({ calls }) => calls.length);
  };
  await run(2048);
  // Short passes have another kernel for LoRA's products.
  const first = await run(17);
  expect(first[0]).toBeGreaterThan(500);
  for (const tokens of [600, 601, 1999, 333, 64, 18]) {
    expect(await run(tokens)).toEqual(first);
  }
});
