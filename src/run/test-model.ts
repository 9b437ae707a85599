import { readAdapter } from '../formats/adapter.ts';
import { openBaseModel } from '../formats/base-model.ts';
import type { ByteSource, Folder } from '../formats/byte-source.ts';
import { batchShape, encodeQuestions, runBatchTest, type BatchProgress } from '../generate/batch-test.ts';
import { Generator } from '../generate/generator.ts';
import { PROMPT_FORMS, stopIds, type PromptForm } from '../generate/prompt-form.ts';
import { parseQuestions } from '../generate/questions.ts';
import { batchTestFile, generationSettings, type BatchTestFile } from '../generate/results.ts';
import { checkSampling, type Sampling } from '../generate/sampling.ts';
import type { Gpu } from '../gpu/device.ts';
import { Stream } from '../gpu/stream.ts';
import { loadBase } from '../model/load-base.ts';
import { Lora } from '../model/lora.ts';
import { loadTokenizer } from '../text/load-tokenizer.ts';
import { CURSOR, readCursor } from './checkpoint.ts';
import type { RunEvent } from './events.ts';
import { generationPlan, withinMemory } from './memory-plan.ts';

/** What a batch test tells whoever started it. */
export type TestEvent =
  Extract<RunEvent, { type: 'phase' | 'note' }> | { type: 'answering'; progress: BatchProgress };

export interface TestModelCall {
  base: Folder;
  /** Undefined for the base alone. */
  adapter: Folder | undefined;
  questions: ByteSource;
  /** How questions are put; undefined for the form that the adapter was trained with. */
  form: PromptForm | undefined;
  /** Whether the base's scales are quantised too, as they were in training. */
  doubleQuant: boolean;
  maxNewTokens: number;
  sampling: Sampling;
  seed: number;
  /** As it shall stand in the result. */
  testDate: string;
  openGpu: () => Promise<Gpu>;
  emit: (event: TestEvent) => void;
  /** Ends the test; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Puts all questions to a model. Throws UserError. */
export async function testModel(call: TestModelCall): Promise<BatchTestFile> {
  const { base: folder, adapter: adapterFolder, maxNewTokens, sampling, seed, emit, signal } = call;
  checkSampling(sampling);
  const model = await openBaseModel(folder);
  const { config } = model;
  const adapter = adapterFolder && (await readAdapter(adapterFolder, config));
  const tokenizer = await loadTokenizer(folder);
  const questions = await parseQuestions(call.questions);
  const form = call.form ?? (await trainedForm(adapterFolder, emit));
  const maxPositions = config.maxPositions;
  const prompts = encodeQuestions(tokenizer, questions, { form, maxNewTokens, maxPositions });
  const modules = adapter?.weights.map((w) => w.module) ?? [];
  const shape = batchShape(config, prompts, maxNewTokens, Math.max(1, ...modules.map((m) => m.r)));
  const gpu = await call.openGpu();
  const plan = generationPlan({ model, doubleQuant: call.doubleQuant, modules, shape });
  const remedy = 'lower --max-new-tokens, or close other programs that use the GPU';
  const { generator, lora } = await withinMemory(
    gpu,
    plan,
    async () => {
      const base = await loadBase(gpu, model, {
        doubleQuant: call.doubleQuant,
        positions: shape.capacity,
        onProgress: (done, total) => {
          emit({ type: 'phase', phase: 'loading the base', done, total, unit: 'bytes' });
          signal?.throwIfAborted();
        },
      });
      const stream = new Stream(gpu);
      return {
        lora: adapter && new Lora(gpu, adapter.weights, config.layers, false),
        generator: new Generator(stream, base, shape),
      };
    },
    remedy,
  );
  const onProgress = (progress: BatchProgress) => emit({ type: 'answering', progress });
  onProgress({ answered: 0, questions: prompts.length, tokens: 0 });
  const options = { lora, maxNewTokens, sampling, seed, signal, stopIds: stopIds(model, tokenizer) };
  const answers = await runBatchTest(generator, tokenizer, prompts, options, { onProgress });
  return batchTestFile(questions, answers, {
    testDate: call.testDate,
    modelPath: (adapterFolder ?? folder).name,
    generation: generationSettings(form, maxNewTokens, sampling, seed),
  });
}

/** The form that Retune recorded beside the adapter; text, with a note, where there is no record. */
async function trainedForm(
  adapter: Folder | undefined,
  emit: (event: TestEvent) => void,
): Promise<PromptForm> {
  if (adapter && (await adapter.open(CURSOR))) {
    const { prompt } = await readCursor(adapter);
    if (PROMPT_FORMS.includes(prompt)) return prompt;
  }
  const text = `${adapter?.name ?? 'the base'} does not say how it was asked in training, so questions are put as "### Instruction: …"; --prompt chat uses the chat template.`;
  emit({ type: 'note', text });
  return 'text';
}
