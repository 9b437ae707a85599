import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import { freshAdapter } from '../../src/formats/adapter.ts';
import { type BaseModel, openBaseModel } from '../../src/formats/base-model.ts';
import { defaultRecipe } from '../../src/formats/recipe.ts';
import { mib } from '../../src/gpu/memory.ts';
import { allocateBase } from '../../src/model/base/allocate.ts';
import { estimateMemory } from '../../src/run/plan/estimate.ts';
import { newExecutionPlanOf } from '../../src/run/plan/execution-plan.ts';
import { chooseMemory, withChoice } from '../../src/run/plan/memory-choice.ts';
import { memoryPlan, totalBytes } from '../../src/run/plan/memory-plan.ts';
import { passInput } from '../../src/run/plan/pass-size.ts';
import { assembleSession } from '../../src/run/session.ts';

/** Where the 3 GB base of Qwen2.5-1.5B's shapes is, or is written at the first run. */
const FOLDER = process.env.RETUNE_SYNTHETIC_BASE ?? join(tmpdir(), 'synthetic-1.5b');
const GIB = 2 ** 30;

let model: BaseModel;
beforeAll(async () => {
  if (!existsSync(join(FOLDER, 'model.safetensors'))) {
    execFileSync(process.execPath, ['tests/reference/write_synthetic_base.mjs', FOLDER], {
      stdio: 'inherit',
    });
  }
  model = await openBaseModel(await nodeFolder(FOLDER));
});

/**
 * [tokens of a row, budget in bytes or none, precision whose storage is taken, most bytes]: rank 32 on all modules, as in
 * the recipe.
 */
it.each([
  [1024, undefined, 'f32', 2.2 * GIB],
  [2048, undefined, 'f32', 3.5 * GIB],
  [1024, 1.8 * GIB, 'f32', 1.8 * GIB],
  [2048, 2.1 * GIB, 'f32', 2.1 * GIB],
  [1024, 4e9, 'f32', 4e9],
  [2048, 4e9, 'f32', 4e9],
  [1024, 3.5 * GIB, 'matrix', 3.5 * GIB],
  [2048, 3.5 * GIB, 'matrix', 3.5 * GIB],
] as const)(
  'rows of %i tokens with a budget of %s in %s take at most %i bytes, as planned',
  async (tokens, budget, precision, most) => {
    const recipe = defaultRecipe();
    const asked = passInput(
      await estimateMemory({
        base: await nodeFolder(FOLDER),
        source: undefined,
        recipe: { ...recipe, training: { ...recipe.training, maxLength: tokens } },
        precision,
      }),
    );
    expect(asked.modules.length).toBe(196);
    expect(asked.modules.every((m) => m.r === 32)).toBe(true);
    const choice = chooseMemory(asked, { budget, fill: false });
    const planned = memoryPlan(withChoice(asked, choice));

    const gpu = await openNodeGpu('floor');
    const base = allocateBase(gpu, model, { doubleQuant: true, positions: tokens });
    const adapter = freshAdapter(recipe.lora, model.config, recipe.seed, '');
    // The software device computes in f32 only, but can store what any precision stores.
    const { savedFormat } = asked;
    const plan = { ...newExecutionPlanOf(gpu, asked.passTokens), ...choice, savedFormat };
    const { longest, stepTargets } = { longest: tokens, stepTargets: asked.stepTargets };
    const prepared = { model, adapter, longest, stepTargets, cache: undefined, inputs: { recipe } };
    gpu.device.pushErrorScope('out-of-memory');
    assembleSession(gpu, base, prepared, plan, adapter.weights);
    await gpu.device.queue.onSubmittedWorkDone();
    expect(await gpu.device.popErrorScope()).toBeNull();
    const { keep, optimizer } = choice;
    console.log(`${tokens} tokens: ${mib(gpu.memory.total)} MiB, keep ${keep}, optimizer ${optimizer}`);
    expect(gpu.memory.byKind()).toEqual(planned);
    expect(gpu.memory.total).toBe(totalBytes(planned));
    expect(gpu.memory.total).toBeLessThanOrEqual(most);
    expect(gpu.errors).toEqual([]);
    gpu.close();
  },
);
