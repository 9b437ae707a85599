import type { ByteSource } from '../formats/byte-source.ts';
import { Fields } from '../formats/fields.ts';
import { readJson } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';
import { showCount } from '../formats/words.ts';
import type { PromptForm } from '../generate/prompt-form.ts';
import type { Sampling } from '../generate/sampling.ts';
import { type Moment, parseMoment } from '../text/moment.ts';
import type { TestAnswer } from './batch-test.ts';
import type { Question } from './questions.ts';

/**
 * One entry of a result file: the recipe's keys, why generation ended, and why there is no answer if there is none.
 */
export interface Result {
  /** From 1. */
  question_id: number;
  question: string;
  expected_answer: string;
  model_answer: string;
  topic: string;
  difficulty: string;
  token_usage: { input_tokens: number; output_tokens: number; total_tokens: number };
  stop_reason: TestAnswer['stopped'];
  error?: string;
}

/** A batch test's result file: the recipe's keys, and how the answers were obtained. */
export interface BatchTestFile {
  summary: {
    test_date: string;
    model_path: string;
    total_questions: number;
    total_input_tokens: number;
    total_output_tokens: number;
    total_tokens: number;
    avg_input_tokens_per_question: number;
    avg_output_tokens_per_question: number;
    avg_total_tokens_per_question: number;
    generation: GenerationSettings;
  };
  results: Result[];
}

interface GenerationSettings {
  prompt_form: PromptForm;
  max_new_tokens: number;
  temperature: number;
  top_p: number;
  top_k: number;
  repetition_penalty: number;
  seed: number;
  /** The current date that the chat template wrote into the prompts, if it writes one: "2026-03-07T14:05:09". */
  date?: Moment;
}

/** What a batch test's answers depend on besides model and questions. */
export function generationSettings(
  form: PromptForm,
  maxNewTokens: number,
  { temperature, topP, topK, repetitionPenalty }: Sampling,
  seed: number,
  date?: Moment,
): GenerationSettings {
  return {
    prompt_form: form,
    max_new_tokens: maxNewTokens,
    temperature,
    top_p: topP,
    top_k: topK,
    repetition_penalty: repetitionPenalty,
    seed,
    ...(date !== undefined && { date }),
  };
}

/** The content of a result file; `testDate` as recorded there, `modelPath` the adapter's (or base's) folder. */
export function batchTestFile(
  questions: readonly Question[],
  answers: readonly TestAnswer[],
  about: { testDate: string; modelPath: string; generation: GenerationSettings },
): BatchTestFile {
  const input = answers.reduce((sum, { inputTokens }) => sum + inputTokens, 0);
  const output = answers.reduce((sum, { outputTokens }) => sum + outputTokens, 0);
  const count = questions.length;
  return {
    summary: {
      test_date: about.testDate,
      model_path: about.modelPath,
      total_questions: count,
      total_input_tokens: input,
      total_output_tokens: output,
      total_tokens: input + output,
      avg_input_tokens_per_question: input / count,
      avg_output_tokens_per_question: output / count,
      avg_total_tokens_per_question: (input + output) / count,
      generation: about.generation,
    },
    results: questions.map(({ question, answer, topic, difficulty }, i) => {
      const { text, inputTokens, outputTokens, stopped, error } = answers[i]!;
      return {
        question_id: i + 1,
        question,
        expected_answer: answer,
        model_answer: text,
        topic,
        difficulty,
        token_usage: {
          input_tokens: inputTokens,
          output_tokens: outputTokens,
          total_tokens: inputTokens + outputTokens,
        },
        stop_reason: stopped,
        ...(error !== undefined && { error }),
      };
    }),
  };
}

/**
 * What comparing needs from a result file, whether Retune's or the recipe's, which does not say why answers ended.
 */
export interface ReadResults {
  file: string;
  modelPath: string;
  /** The date that the chat template wrote into the prompts, if it wrote one. */
  date: Moment | undefined;
  results: (Omit<Result, 'question_id' | 'stop_reason'> & Partial<Pick<Result, 'stop_reason'>>)[];
}

/** Maximum characters of a text in a result file: far more than a model's answer, few enough to compare. */
const MAX_TEXT = 1_000_000;

const STOP_REASONS = ['stop id', 'length', 'no room'] as const satisfies readonly TestAnswer['stopped'][];

/** Reads a result file. Throws UserError naming the key that is missing or has the wrong type. */
export async function readResults(source: ByteSource): Promise<ReadResults> {
  const remedy = 'name a file that batch-test has written';
  const file = new Fields(source.name, await readJson(source), '', remedy);
  const list = file.values['results'];
  if (!Array.isArray(list) || list.length === 0) {
    throw new UserError(`${source.name}: results is not a list of answers; ${remedy}.`);
  }
  const summary = file.section('summary');
  const { date } = (summary.values['generation'] ?? {}) as { date?: unknown };
  return {
    file: source.name,
    modelPath: summary.string('model_path', ''),
    date: typeof date === 'string' ? parseMoment(date) : undefined,
    results: list.map((entry: unknown, i) => {
      const fields = new Fields(source.name, entry, `results[${i}].`, remedy);
      const usage = fields.section('token_usage');
      const tokens = (key: string): number => usage.number(key, { whole: true, min: 0 });
      const text = (key: string, fallback?: string): string => {
        const value = fields.string(key, fallback);
        if (value.length > MAX_TEXT) {
          throw new UserError(
            `${source.name}: results[${i}].${key} has ${showCount(value.length)} characters, expected at most ${showCount(MAX_TEXT)}; ${remedy}.`,
          );
        }
        return value;
      };
      const stopped = STOP_REASONS.find((reason) => reason === fields.values['stop_reason']);
      return {
        question: text('question'),
        expected_answer: text('expected_answer', ''),
        model_answer: text('model_answer'),
        topic: text('topic', ''),
        difficulty: text('difficulty', ''),
        token_usage: {
          input_tokens: tokens('input_tokens'),
          output_tokens: tokens('output_tokens'),
          total_tokens: tokens('total_tokens'),
        },
        ...(stopped && { stop_reason: stopped }),
      };
    }),
  };
}
