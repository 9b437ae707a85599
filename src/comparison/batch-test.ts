import type { DecoderConfig } from '../formats/decoder-config.ts';
import { keyWidth } from '../model/allocations.ts';
import type { Lora } from '../model/lora.ts';
import type { Moment } from '../text/moment.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import type { GeneratorShape } from '../generate/cached-decoder.ts';
import type { Generated, GenerateOptions, TextGenerator } from '../generate/text-generator.ts';
import { promptEncoder, type PromptForm } from '../generate/prompt-form.ts';
import type { Question } from './questions.ts';

/** The recipe's length of an answer. */
export const MAX_NEW_TOKENS = 512;
/** Sequences at once: as many as the matrix-vector kernel takes. */
const SEQUENCES = 8;
/** Bytes for all keys and values; fewer sequences run at once where they are long. */
const CACHE_BYTES = 2 ** 29;

/** A model's answer to one question. */
export interface Answer {
  /** Without special tokens, and without white space at its ends; empty where the model had no room for it. */
  text: string;
  inputTokens: number;
  /** The end token counts, as it does in Python's output. */
  outputTokens: number;
  stopped: Generated['stopped'] | 'no room';
  /** Where there was no room: why, and what to do. */
  error?: string | undefined;
}

/** Prompt ids of all questions. */
export function encodeQuestions(
  tokenizer: TextTokenizer,
  questions: readonly Question[],
  form: PromptForm,
  moment?: Moment,
): number[][] {
  const encode = promptEncoder(tokenizer, form, moment);
  return questions.map(({ question }) => encode(question));
}

/** What a model's room for an answer depends on; `shorter`: what the user does for shorter answers. */
export interface Room {
  maxNewTokens: number;
  maxPositions: number;
  shorter: string;
}

/** What stands for the answer to a prompt (by its place in the list) that the model has no room for. */
export function answerWithoutRoom(
  { length }: readonly number[],
  i: number,
  { maxNewTokens, maxPositions, shorter }: Room,
): (Answer & { error: string }) | undefined {
  if (length + maxNewTokens <= maxPositions) return undefined;
  const error = `question ${i + 1}: ${length} tokens and up to ${maxNewTokens} of the answer, expected at most ${maxPositions} together (max_position_embeddings); shorten it or ${shorter}.`;
  return { text: '', inputTokens: length, outputTokens: 0, stopped: 'no room', error };
}

/** The generator that a batch of prompts wants. `rank`: the largest of the adapters that will be tested. */
export function batchShape(
  config: DecoderConfig,
  prompts: readonly (readonly number[])[],
  maxNewTokens: number,
  rank: number,
): GeneratorShape {
  const capacity = prompts.reduce((most, { length }) => Math.max(most, length), 0) + maxNewTokens;
  const bytes = 2 * 4 * config.layers * keyWidth(config) * capacity;
  const fit = Math.max(1, Math.floor(CACHE_BYTES / bytes));
  return { sequences: Math.min(SEQUENCES, fit, prompts.length), capacity, rank };
}

/** How far a batch test is. */
export interface BatchProgress {
  answered: number;
  questions: number;
  /** Tokens generated so far, end tokens aside. */
  tokens: number;
}

/**
 * Answers all prompts, several at once. `onAnswer` has each as soon as it is complete, in no particular order; both
 * speak of prompts by their place in the list.
 */
export async function runBatchTest(
  generator: TextGenerator,
  tokenizer: TextTokenizer,
  prompts: readonly (readonly number[])[],
  options: Omit<GenerateOptions, 'onToken' | 'onEnd'> & { lora: Lora | undefined },
  tell: {
    onProgress?: (progress: BatchProgress) => void;
    onAnswer?: (question: number, answer: Answer) => void;
  } = {},
): Promise<Answer[]> {
  const { lora, ...rest } = options;
  const progress = { answered: 0, questions: prompts.length, tokens: 0 };
  const answers = new Array<Answer>(prompts.length);
  const onToken = (): void => {
    progress.tokens++;
    tell.onProgress?.({ ...progress });
  };
  const onEnd = (i: number, { ids, stopped }: Generated): void => {
    answers[i] = {
      text: tokenizer.decode(ids, { skipSpecial: true }).trim(),
      inputTokens: prompts[i]!.length,
      outputTokens: ids.length + Number(stopped === 'stop id'),
      stopped,
    };
    progress.answered++;
    tell.onAnswer?.(i, answers[i]);
    tell.onProgress?.({ ...progress });
  };
  await generator.generate(prompts, lora, { ...rest, onToken, onEnd });
  return answers;
}
