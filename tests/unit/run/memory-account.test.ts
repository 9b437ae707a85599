import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { nodeFolder, nodeSource } from '../../../src/cli/node-files.ts';
import { askModel } from '../../../src/comparison/ask-model.ts';
import { encodeQuestions } from '../../../src/comparison/batch-test.ts';
import { parseQuestions } from '../../../src/comparison/questions.ts';
import { readAdapter } from '../../../src/formats/adapter.ts';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';
import { batchShape } from '../../../src/generate/batch-shape.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import type { MemoryKind } from '../../../src/gpu/memory.ts';
import { finetune } from '../../../src/run/finetune.ts';
import { generationPlan } from '../../../src/run/plan/memory-plan.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { type CaseName, casePath } from '../../support/model-case.ts';
import { nullGpu } from '../../support/null-gpu.ts';
import { caseInputs, dropoutInputs } from '../../support/run-case.ts';

// One device that computes next to nothing; what a run holds stays until its end.
let gpu: Gpu;
let before: ReadonlyMap<MemoryKind, number>;
beforeAll(async () => {
  gpu = await nullGpu();
});
beforeEach(() => {
  before = new Map(gpu.memory.byKind());
});
afterAll(() => gpu.close());

/** The bytes that this test has added, by kind. */
function added(): Map<MemoryKind, number> {
  const kinds = [...gpu.memory.byKind()].map(
    ([kind, bytes]) => [kind, bytes - (before.get(kind) ?? 0)] as const,
  );
  return new Map(kinds.filter(([, bytes]) => bytes !== 0));
}

const RUNS: [CaseName, number][] = [
  ['llama_sharded', 0],
  ['llama_sharded', 0.05],
  ['prequant', 0],
  ['dynamic', 0],
  ['rank_pattern', 0],
];

it.each(RUNS)('a training run of %s (dropout %s) holds what its plan says', async (name, dropout) => {
  const stop = new AbortController();
  let [planned, held] = [0, 0];
  const result = await finetune({
    inputs: await (dropout > 0 ? dropoutInputs(name, dropout) : caseInputs(name)),
    store: new MemoryStore(),
    resume: 'exact',
    openGpu: () => Promise.resolve(gpu),
    signal: stop.signal,
    emit: (event) => {
      if (event.type !== 'facts') {
        return;
      }
      [planned, held] = [event.facts.gpuBytes, [...added().values()].reduce((a, b) => a + b)];
      stop.abort();
    },
  });
  expect(result).toMatchObject({ status: 'stopped', step: 0 });
  expect(held).toBe(planned);
  expect(planned).toBeGreaterThan(0);
});

it.each([true, false])('a batch test holds the bytes that its plan says (adapter: %s)', async (adapted) => {
  const base = await nodeFolder(casePath('qwen3', 'base'));
  const adapter = adapted ? await nodeFolder(casePath('qwen3', 'v1')) : undefined;
  const questions = await nodeSource(casePath('qwen3', 'questions.json'));
  const model = await openBaseModel(base);
  const { config } = model;
  const modules = adapter ? (await readAdapter(adapter, config)).weights.map((w) => w.module) : [];
  const prompts = encodeQuestions(await loadTokenizer(base), await parseQuestions(questions), 'text');
  const shape = batchShape(config, prompts, 5, Math.max(1, ...modules.map((m) => m.r)));
  const stop = new AbortController();
  let held: ReadonlyMap<MemoryKind, number> | undefined;
  const test = askModel({
    base,
    adapter,
    questions,
    form: 'text',
    recipe: defaultRecipe(),
    maxNewTokens: 5,
    shorter: 'lower it',
    sampling: GREEDY,
    seed: 1,
    testDate: 'today',
    openGpu: () => Promise.resolve(gpu),
    signal: stop.signal,
    emit: (event) => {
      if (event.type !== 'answering') {
        return;
      }
      held = added();
      stop.abort();
    },
  });
  await expect(test).rejects.toThrow('aborted');
  expect(held).toEqual(generationPlan({ model, doubleQuant: true, modules, shape }));
});
