import type { BaseModel } from '../../formats/base-model.ts';
import { RECIPE, type TrainingSettings } from '../../formats/recipe/settings.ts';
import { UserError } from '../../formats/user-error.ts';
import { showCount } from '../../formats/words.ts';
import { batchShape } from '../../generate/batch-shape.ts';
import type { GeneratorShape } from '../../generate/cached-decoder.ts';
import { type ChatMessage, conversationEncoder } from '../../generate/prompt-form.ts';
import type { Moment } from '../../text/moment.ts';
import type { TextTokenizer } from '../../text/tokenizer.ts';
import { MAX_ANSWERS } from './film.ts';

/** The sample prompts of a run, as the model is asked them. */
export interface Samples {
  /** The ids of each prompt. */
  readonly prompts: ReadonlyMap<string, readonly number[]>;
  readonly maxNewTokens: number;
  readonly shape: GeneratorShape;
  /** How often they are answered. */
  readonly times: number;
}

/**
 * Encodes a recipe's sample prompts as the rows put a question: `chat` in the model's template, with the system prompt
 * of all rows if they have one. undefined if there are none. Throws UserError.
 */
export function prepareSamples(
  training: TrainingSettings,
  {
    model,
    tokenizer,
    rank,
    chat,
    system,
    moment,
    isDue,
    maxSteps,
  }: {
    model: BaseModel;
    tokenizer: TextTokenizer;
    /** The largest of the adapter's. */
    rank: number;
    chat: boolean;
    system: string | undefined;
    moment: Moment;
    /** The steps after which they are answered, and before the first. */
    isDue: (step: number) => boolean;
    maxSteps: number;
  },
): Samples | undefined {
  const texts = [...new Set(training.samplePrompts)];
  if (texts.length === 0) {
    return undefined;
  }
  const maxNewTokens = training.sampleTokens ?? RECIPE.training.sampleTokens.usual;
  let times = 1;
  for (let step = 1; step <= maxSteps; step++) {
    times += Number(isDue(step));
  }
  if (texts.length * times > MAX_ANSWERS) {
    throw new UserError(
      `training.sample_prompts: ${showCount(texts.length)} prompts answered ${showCount(times)} times make ${showCount(texts.length * times)} answers, expected at most ${showCount(MAX_ANSWERS)}; raise eval_steps, or ask fewer.`,
    );
  }
  const encode = conversationEncoder(tokenizer, chat ? 'chat' : 'text', moment);
  const before: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
  const prompts = new Map(
    texts.map((content, i) => {
      const where = `training.sample_prompts, prompt ${i + 1}`;
      const ids = encoded(where, () => encode([...before, { role: 'user', content }]));
      const most = model.config.maxPositions;
      if (ids.length + maxNewTokens > most) {
        throw new UserError(
          `${where}: ${showCount(ids.length)} tokens and up to ${maxNewTokens} of the answer, expected at most ${showCount(most)} together (max_position_embeddings); shorten it or lower sample_max_new_tokens.`,
        );
      }
      return [content, ids];
    }),
  );
  const shape = batchShape(model.config, [...prompts.values()], maxNewTokens, rank);
  return { prompts, maxNewTokens, shape, times };
}

function encoded(where: string, encode: () => number[]): number[] {
  try {
    return encode();
  } catch (error) {
    if (error instanceof UserError) {
      throw new UserError(`${where}: ${error.message}`);
    }
    throw error;
  }
}
