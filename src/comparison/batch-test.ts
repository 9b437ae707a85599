import { promptEncoder, type PromptForm } from '../generate/prompt-form.ts';
import type { Generated, GenerateOptions, TextGenerator } from '../generate/text-generator.ts';
import type { Lora } from '../model/lora.ts';
import type { Moment } from '../text/moment.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import type { Question } from './questions.ts';

/** The recipe's maximum length of an answer in tokens. */
export const MAX_NEW_TOKENS = 512;

/** A model's answer to one question. */
export interface TestAnswer {
  /** Without special tokens and surrounding white space; empty if the model had no room for it. */
  text: string;
  inputTokens: number;
  /** Includes the end token, as in Python's output. */
  outputTokens: number;
  stopped: Generated['stopped'] | 'no room';
  /** If there was no room: why, and what to do. */
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

/** What limits a model's answer; `shorter`: how the user shortens answers. */
export interface Room {
  maxNewTokens: number;
  maxPositions: number;
  shorter: string;
}

/** The placeholder answer to a prompt, given by index, that exceeds the model's positions; undefined if it fits. */
export function answerWithoutRoom(
  { length }: readonly number[],
  i: number,
  { maxNewTokens, maxPositions, shorter }: Room,
): (TestAnswer & { error: string }) | undefined {
  if (length + maxNewTokens <= maxPositions) {
    return undefined;
  }
  const error = `question ${i + 1}: ${length} tokens and up to ${maxNewTokens} of the answer, expected at most ${maxPositions} together (max_position_embeddings); shorten it or ${shorter}.`;
  return { text: '', inputTokens: length, outputTokens: 0, stopped: 'no room', error };
}

/** Progress of a batch test. */
export interface BatchProgress {
  answered: number;
  questions: number;
  /** Tokens generated so far, without end tokens. */
  tokens: number;
}

/**
 * Answers all prompts, several at once. `onAnswer` is called with each answer as soon as it is complete, in no
 * particular order. Prompts are identified by their index in the list.
 */
export async function runBatchTest(
  generator: TextGenerator,
  tokenizer: TextTokenizer,
  prompts: readonly (readonly number[])[],
  options: Omit<GenerateOptions, 'onToken' | 'onEnd'> & { lora: Lora | undefined },
  tell: {
    onProgress?: (progress: BatchProgress) => void;
    onAnswer?: (question: number, answer: TestAnswer) => void;
  } = {},
): Promise<TestAnswer[]> {
  const { lora, ...rest } = options;
  const progress = { answered: 0, questions: prompts.length, tokens: 0 };
  const answers = new Array<TestAnswer>(prompts.length);
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
