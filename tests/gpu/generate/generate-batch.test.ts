import { describe, expect, it } from 'vitest';
import { encodeQuestions, runBatchTest, type TestAnswer } from '../../../src/comparison/batch-test.ts';
import { parseQuestions } from '../../../src/comparison/questions.ts';
import { batchShape } from '../../../src/generate/batch-shape.ts';
import { stopIds } from '../../../src/generate/prompt-form.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import { TextGenerator } from '../../../src/generate/text-generator.ts';
import { testGpu } from '../../support/gpu.ts';
import { source } from '../../support/memory-folder.ts';
import { ModelCase } from '../../support/model-case.ts';

const GENERATED = 24;

// The other cases' answers, by either prompt form: tests/gpu/run/reference.test.ts.
describe('batch test of qwen3', () => {
  it('answers as PyTorch does, for base, V1 and V2', async () => {
    const { gpu, stream } = await testGpu();
    const model = await ModelCase.open(gpu, 'qwen3');
    const { tokenizer, base, expected } = model;
    const questions = await parseQuestions(source('questions.json', model.text('questions.json')));
    const prompts = encodeQuestions(tokenizer, questions, 'chat');
    const generator = new TextGenerator(stream, base, batchShape(base.config, prompts, GENERATED, 32));
    for (const who of ['base', 'v1', 'v2'] as const) {
      const lora = await model.lora(who);
      const told: TestAnswer[] = [];
      let last: unknown;
      const answers = await runBatchTest(
        generator,
        tokenizer,
        prompts,
        {
          lora,
          sampling: GREEDY,
          seed: 1,
          maxNewTokens: GENERATED,
          stopIds: stopIds(model.model, tokenizer),
        },
        {
          onAnswer: (i, answer) => (told[i] = answer),
          onProgress: (progress) => (last = progress),
        },
      );
      expect(
        answers.map(({ text }) => text),
        who,
      ).toEqual(expected.greedy_answers!.map((a) => a[who].trim()));
      expect(told).toEqual(answers);
      expect(answers.map(({ inputTokens }) => inputTokens)).toEqual(prompts.map((ids) => ids.length));
      const ended = answers.filter(({ stopped }) => stopped === 'stop id');
      const tokens = answers.reduce((sum, { outputTokens }) => sum + outputTokens, 0) - ended.length;
      expect(last).toEqual({ answered: 4, questions: 4, tokens });
      // The end token counts: the first answer's ids are known.
      const ids = expected[`${who}_greedy`].length;
      expect(answers[0]!.outputTokens).toBe(ids + Number(answers[0]!.stopped === 'stop id'));
      lora?.close();
    }
    generator.close();
    expect(gpu.errors).toEqual([]);
  });
});
