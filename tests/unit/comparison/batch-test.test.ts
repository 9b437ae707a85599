import { expect, it } from 'vitest';
import { answerWithoutRoom, encodeQuestions } from '../../../src/comparison/batch-test.ts';
import type { Question } from '../../../src/comparison/questions.ts';
import { parseDecoderConfig } from '../../../src/formats/decoder-config.ts';
import { batchShape } from '../../../src/generate/batch-shape.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';

const ask = (question: string): Question => ({ question, answer: '', topic: '', difficulty: '' });

it('names the question that the model has no room for', async () => {
  const tokenizer = await tinyTokenizer({ special: [] });
  const questions = [ask('Where?'), ask('0'.repeat(100))];
  const frame = '### Instruction:\n\n\n### Response:\n'.length;
  const prompts = encodeQuestions(tokenizer, questions, 'text');
  expect(prompts.map(({ length }) => length)).toEqual([6 + frame, 100 + frame]);
  const refused = (maxPositions: number) =>
    prompts.map((ids, i) =>
      answerWithoutRoom(ids, i, { maxNewTokens: 512, maxPositions, shorter: 'say less' }),
    );
  expect(refused(612 + frame)).toEqual([undefined, undefined]);
  expect(refused(611 + frame)).toEqual([
    undefined,
    {
      text: '',
      inputTokens: 100 + frame,
      outputTokens: 0,
      stopped: 'no room',
      error: `question 2: ${100 + frame} tokens and up to 512 of the answer, expected at most ${611 + frame} together (max_position_embeddings); shorten it or say less.`,
    },
  ]);
});

it('runs fewer sequences at once where they are long', () => {
  // Qwen2.5-1.5B: 28 layers of 2 heads of 128, keys and values: 57,344 bytes a token.
  const config = parseDecoderConfig(
    {
      model_type: 'qwen2',
      architectures: ['Qwen2ForCausalLM'],
      hidden_size: 1536,
      intermediate_size: 8960,
      num_hidden_layers: 28,
      num_attention_heads: 12,
      num_key_value_heads: 2,
      vocab_size: 151936,
      rms_norm_eps: 1e-6,
      rope_theta: 1e6,
      tie_word_embeddings: true,
      max_position_embeddings: 32768,
      hidden_act: 'silu',
    },
    'config.json',
  );
  const prompts = (lengths: number[]): number[][] => lengths.map((n) => new Array<number>(n).fill(1));
  const shape = (lengths: number[]) => batchShape(config, prompts(lengths), 512, 32);
  expect(shape([40, 80, 60])).toEqual({ sequences: 3, capacity: 592, rank: 32 });
  expect(shape(new Array<number>(20).fill(100)).sequences).toBe(8);
  // 2^29 bytes hold 9,362 tokens: 4 sequences of 2,212.
  expect(shape([1700, ...new Array<number>(20).fill(100)]).sequences).toBe(4);
  expect(shape([12_000, 5]).sequences).toBe(1);
});
