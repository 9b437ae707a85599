import { GREEDY } from '../generate/sampling.ts';
import { TextGenerator } from '../generate/text-generator.ts';
import type { Gpu } from '../gpu/device.ts';
import { Stream } from '../gpu/stream.ts';
import { Lora } from '../model/lora.ts';
import { generationPlan, withinMemory } from '../run/plan/memory-plan.ts';
import { type Timing, timing } from './measure.ts';
import { benchInputs, type ModelName, modelTitle } from './models.ts';
import { type Cell, type ReportSection, timeCells } from './report.ts';
import { syntheticBase } from './synthetic.ts';

/** Sequences at once: those of a chat and of a batch test. */
const SEQUENCES = [1, 8];
/** Maximum rounds. */
const MAX_ROUNDS = 3;
const REMEDY = 'close other programs that use the GPU';

/**
 * Greedy answers of a model with its adapter, not counting the prompts. Throws UserError if the device lacks the
 * memory.
 */
export async function measureDecoding(gpu: Gpu, name: ModelName, rounds: number): Promise<ReportSection> {
  const [prompt, answer] = name === 'tiny' ? [8, 4] : [64, 64];
  const capacity = prompt + answer;
  const inputs = benchInputs(name, capacity, 1);
  const { model, adapter } = inputs;
  const modules = adapter.weights.map(({ module }) => module);
  const rank = Math.max(...modules.map(({ r }) => r));
  const { useDoubleQuant: doubleQuant } = inputs.inputs.recipe.quantization;
  const within = <T>(sequences: number, make: () => T): Promise<T> => {
    const plan = generationPlan({ model, doubleQuant, modules, shape: { sequences, capacity, rank } });
    return withinMemory(gpu, plan, () => Promise.resolve(make()), REMEDY);
  };
  const stream = new Stream(gpu);
  const { base, lora } = await within(1, () => ({
    base: syntheticBase(gpu, inputs, capacity),
    lora: new Lora(gpu, adapter.weights, model.config.layers, false, 0),
  }));
  const rows: Cell[][] = [];
  for (const sequences of SEQUENCES) {
    const generator = await within(
      sequences,
      () => new TextGenerator(stream, base, { sequences, capacity, rank }),
    );
    const prompts = Array.from({ length: sequences }, (_, i) =>
      Array.from({ length: prompt }, (_, k) => (7 * i + k) % model.config.vocabSize),
    );
    const { reading, writing } = await timeAnswers(generator, lora, prompts, {
      answer,
      rounds: Math.min(MAX_ROUNDS, rounds),
    });
    generator.close();
    const written = sequences * (answer - 1);
    rows.push([
      `${sequences} at once`,
      { speed: (sequences * prompt) / reading.seconds },
      written,
      ...timeCells(writing),
      { speed: written / writing.seconds },
    ]);
  }
  return {
    name: 'decoding',
    title: `Answers of ${modelTitle(name)} with its adapter: ${answer} new tokens behind ${prompt}`,
    columns: ['', 'prompt tokens/s', 'new tokens', 'ms', 'spread %', 'tokens/s'],
    rows,
    notes: [
      'The first token of an answer comes with its prompt and is not among the new ones. Answers are computed in f32 on every precision.',
    ],
  };
}

/**
 * Each prompt has its own pass, which yields an answer's first token; the remaining tokens are decoded side by
 * side.
 */
async function timeAnswers(
  generator: TextGenerator,
  lora: Lora,
  prompts: readonly number[][],
  { answer, rounds }: { answer: number; rounds: number },
): Promise<{ reading: Timing; writing: Timing }> {
  const [reading, writing]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    const begun = performance.now();
    let read = begun;
    let tokens = 0;
    await generator.generate(prompts, lora, {
      ...{ maxNewTokens: answer, stopIds: [], sampling: GREEDY, seed: 1 },
      onToken: () => {
        if (++tokens === prompts.length) {
          read = performance.now();
        }
      },
    });
    if (round === 0) {
      continue;
    }
    reading.push((read - begun) / 1000);
    writing.push((performance.now() - read) / 1000);
  }
  return { reading: timing(reading), writing: timing(writing) };
}
