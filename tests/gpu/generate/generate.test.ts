import { describe, expect, it } from 'vitest';
import { generatorAllocations, type GeneratorShape } from '../../../src/generate/cached-decoder.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import { type GenerateOptions, TextGenerator } from '../../../src/generate/text-generator.ts';
import { bytesByKind } from '../../../src/model/allocations.ts';
import { Lora } from '../../../src/model/lora.ts';
import { testGpu } from '../../support/gpu.ts';
import { type CaseName, CASES, ModelCase } from '../../support/model-case.ts';

const SHAPE: GeneratorShape = { sequences: 3, capacity: 160, rank: 32 };
const NEW_TOKENS = 24;

const opened = new Map<CaseName, Promise<ModelCase>>();

async function openCase(name: CaseName): Promise<ModelCase> {
  const { gpu } = await testGpu();
  if (!opened.has(name)) {
    opened.set(name, ModelCase.open(gpu, name));
  }
  return opened.get(name)!;
}

/** Greedy, up to the stop ids of the reference: the tokenizer's end and padding. */
function greedy({ tokenizer }: ModelCase): GenerateOptions {
  const stopIds = [tokenizer.eosId!, tokenizer.padId!];
  return { maxNewTokens: NEW_TOKENS, stopIds, sampling: GREEDY, seed: 1 };
}

async function withGenerator<T>(
  shape: Partial<GeneratorShape>,
  { base }: ModelCase,
  use: (generator: TextGenerator) => Promise<T>,
): Promise<T> {
  const { stream, gpu } = await testGpu();
  const generator = new TextGenerator(stream, base, { ...SHAPE, ...shape });
  try {
    return await use(generator);
  } finally {
    generator.close();
    expect(gpu.errors).toEqual([]);
  }
}

// Those of V2 after its training are in gpu/run/reference.
describe.each(CASES)('greedy ids of %s', (name) => {
  it.each(['base', 'v1'] as const)('are those of PyTorch for %s', async (who) => {
    const model = await openCase(name);
    const lora = await model.lora(who);
    const prompt = model.expected.prompt_ids;
    const ids = model.expected[`${who}_greedy`];
    const [found] = await withGenerator({ sequences: 1 }, model, (g) =>
      g.generate([prompt], lora, greedy(model)),
    );
    const stopped = ids.length < NEW_TOKENS ? 'stop id' : 'length';
    expect(found).toEqual({ ids, stopped });
    lora?.close();
  });
});

/** Prompts of very different lengths, more than run at once. */
function unevenPrompts({ expected: { prompt_ids: ids } }: ModelCase): number[][] {
  const long = [...ids, ...ids, ...ids].slice(0, 100);
  return [ids.slice(-3), long, ids.slice(0, 7), [ids[0]!], long.slice(5)];
}

describe('several at once', () => {
  it('gives each the ids that it gets alone', async () => {
    const model = await openCase('recipe_text');
    const lora = await model.lora('v1');
    const prompts = unevenPrompts(model);
    const options = { ...greedy(model), maxNewTokens: 8 };
    const alone = await withGenerator({ sequences: 1 }, model, async (g) => {
      const results = [];
      for (const prompt of prompts) {
        results.push(...(await g.generate([prompt], lora, options)));
      }
      return results;
    });
    const together = await withGenerator({}, model, (g) => g.generate(prompts, lora, options));
    expect(together).toEqual(alone);
    // Otherwise the test would not notice one sequence reading another's keys.
    expect(new Set(alone.map(({ ids }) => ids.join())).size).toBeGreaterThan(3);
    lora?.close();
  });

  it('samples each the same, whatever runs beside it', async () => {
    const model = await openCase('recipe_text');
    const sampling = { temperature: 0.9, topP: 0.95, topK: 40, repetitionPenalty: 1.1 };
    const prompts = unevenPrompts(model);
    const options = { ...greedy(model), sampling, maxNewTokens: 8 };
    const run = (sequences: number, seed = 5) =>
      withGenerator({ sequences }, model, (g) => g.generate(prompts, undefined, { ...options, seed }));
    const one = await run(1);
    expect(await run(3)).toEqual(one);
    expect(await run(3, 6)).not.toEqual(one);
  });

  it('tells tokens and ends as they come', async () => {
    const model = await openCase('recipe_text');
    const prompts = unevenPrompts(model);
    const told = prompts.map((): number[] => []);
    const ended: number[] = [];
    const results = await withGenerator({}, model, (g) =>
      g.generate(prompts, undefined, {
        ...greedy(model),
        maxNewTokens: 5,
        onToken: (prompt, id) => void told[prompt]!.push(id),
        onEnd: (prompt, { ids }) => {
          expect(ids).toEqual(told[prompt]);
          ended.push(prompt);
        },
      }),
    );
    expect(told).toEqual(results.map(({ ids }) => ids));
    expect(ended.toSorted()).toEqual(prompts.map((_, i) => i));
  });
});

it('continues from the cache as from a prompt with the same text', async () => {
  const model = await openCase('recipe_text');
  const lora = await model.lora('v1');
  const prompt = unevenPrompts(model)[1]!;
  await withGenerator({}, model, async (g) => {
    const [whole] = await g.generate([prompt], lora, { ...greedy(model), stopIds: [] });
    const again = [...prompt, ...whole!.ids.slice(0, 15)];
    const [rest] = await g.generate([again], lora, { ...greedy(model), stopIds: [], maxNewTokens: 9 });
    expect(rest!.ids).toEqual(whole!.ids.slice(15));
  });
  lora?.close();
});

it('serves base and adapters in turn, each as before', async () => {
  const model = await openCase('chat_messages');
  const { prompt_ids: prompt, base_greedy: base, v1_greedy: v1, v2_greedy: v2 } = model.expected;
  const [first, second] = [await model.lora('v1'), await model.lora('v2')];
  await withGenerator({}, model, async (g) => {
    for (const [lora, ids] of [
      [first, v1],
      [undefined, base],
      [second, v2],
      [first, v1],
    ] as const) {
      expect((await g.generate([prompt], lora, greedy(model)))[0]!.ids).toEqual(ids);
    }
  });
  first?.close();
  second?.close();
});

it('holds exactly what it said it would, and gives it back', async () => {
  const model = await openCase('qwen3');
  const { gpu } = await testGpu();
  const before = gpu.memory.byKind();
  const [count, total] = [gpu.memory.count, gpu.memory.total];
  const said = bytesByKind(generatorAllocations(model.base.config, model.base.head.format, SHAPE));
  await withGenerator({}, model, async () => {
    const held = gpu.memory.byKind();
    for (const [kind, bytes] of said) {
      expect(held.get(kind)! - (before.get(kind) ?? 0), kind).toBe(bytes);
    }
    expect(gpu.memory.total - total).toBe([...said.values()].reduce((a, b) => a + b));
    // 2 layers, keys and values, 3 sequences of 160 tokens, 1 head of 64 f32.
    expect(said.get('KV cache')).toBe(2 * 2 * 3 * 160 * 64 * 4);
  });
  expect(gpu.memory.count).toBe(count);
});

describe('what cannot be generated', () => {
  it('is a prompt that the cache does not take, before anything runs', async () => {
    const model = await openCase('recipe_text');
    const prompts = [[1, 2], Array.from({ length: 140 }, () => 3)];
    const run = withGenerator({}, model, (g) => g.generate(prompts, undefined, greedy(model)));
    await expect(run).rejects.toThrow(
      'prompt 2: 140 tokens and 24 new ones, expected at most 160 together; shorten the prompt or lower the number of new tokens.',
    );
  });

  it('is a call that was aborted; the next one works', async () => {
    const model = await openCase('recipe_text');
    const { prompt_ids: prompt, base_greedy: ids } = model.expected;
    const stop = new AbortController();
    const told: number[] = [];
    await withGenerator({}, model, async (g) => {
      const onToken = (_: number, id: number): void => {
        if (told.push(id) === 3) {
          stop.abort(new Error('enough'));
        }
      };
      const run = g.generate([prompt], undefined, { ...greedy(model), signal: stop.signal, onToken });
      await expect(run).rejects.toThrow('enough');
      expect(told).toEqual(ids.slice(0, 3));
      expect((await g.generate([prompt], undefined, greedy(model)))[0]!.ids).toEqual(ids);
    });
  });

  it('is an adapter that holds no numbers', async () => {
    const model = await openCase('recipe_text');
    const { gpu, stream } = await testGpu();
    const v1 = (await model.lora('v1'))!;
    const weights = await v1.read(stream);
    weights[3]!.B.fill(NaN);
    const broken = new Lora(gpu, weights, model.base.config.layers, false);
    const run = withGenerator({}, model, (g) => g.generate([[1, 2, 3]], broken, greedy(model)));
    await expect(run).rejects.toThrow(
      'the logits of this model are not finite numbers, so its base or its adapter is broken; take another copy of them or an earlier checkpoint.',
    );
    [v1, broken].forEach((lora) => lora.close());
  });
});
