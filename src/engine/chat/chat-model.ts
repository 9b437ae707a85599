import { type LoraWeights, readAdapter } from '../../formats/adapter.ts';
import { openBaseModel } from '../../formats/base-model.ts';
import type { Folder } from '../../formats/byte-source.ts';
import type { Recipe } from '../../formats/recipe.ts';
import { UserError } from '../../formats/user-error.ts';
import { promptEncoder, stopIds } from '../../generate/prompt-form.ts';
import type { Sampling } from '../../generate/sampling.ts';
import { TextGenerator } from '../../generate/text-generator.ts';
import type { Gpu } from '../../gpu/device.ts';
import { Stream } from '../../gpu/stream.ts';
import type { BaseCache } from '../../model/base/cache/base-cache.ts';
import { loadBase } from '../../model/base/load.ts';
import { Lora } from '../../model/lora.ts';
import { readCursor } from '../../run/checkpoint/checkpoint.ts';
import { generationPlan, withinMemory } from '../../run/plan/memory-plan.ts';
import { loadTokenizer } from '../../text/load-tokenizer.ts';
import type { ChatVersion } from '../protocol/protocol.ts';

/** Tokens of question and answer together. */
const CAPACITY = 2048;
const REMEDY = 'close other programs that use the GPU';

/** One base with the adapters over it, ready to answer. */
export interface ChatModel {
  /**
   * Throws UserError where the question is too long. Resolves to the whole answer, or to what was generated before
   * the stop.
   */
  ask(question: string, call: Ask): Promise<string>;
}

export interface Ask {
  version: ChatVersion;
  sampling: Sampling;
  maxNewTokens: number;
  seed: number;
  signal: AbortSignal;
  onText: (text: string) => void;
}

/** Brings the base and both adapters to the device. Throws UserError. */
export async function openChatModel(
  gpu: Gpu,
  folders: { base: Folder; v1: Folder | undefined; v2: Folder },
  recipe: Recipe,
  baseCache: BaseCache,
): Promise<ChatModel> {
  const model = await openBaseModel(folders.base);
  const tokenizer = await loadTokenizer(folders.base, model.config.vocabSize);
  const { config } = model;
  const v1 = folders.v1 && (await readAdapter(folders.v1, config)).weights;
  const v2 = (await readAdapter(folders.v2, config)).weights;
  const { prompt: form, plan } = await readCursor(folders.v2);
  const modules = v2.map(({ module }) => module);
  const capacity = Math.min(CAPACITY, config.maxPositions);
  const rank = [...(v1 ?? []), ...v2].reduce((most, { module }) => Math.max(most, module.r), 1);
  const shape = { sequences: 1, capacity, rank };
  const doubleQuant = recipe.quantization.useDoubleQuant;
  const cache = await baseCache.slot(model, doubleQuant);
  const { generator, loras } = await withinMemory(
    gpu,
    generationPlan({ model, doubleQuant, modules, shape }),
    async () => {
      const base = await loadBase(gpu, model, { doubleQuant, positions: capacity, cache });
      const lora = (weights: readonly LoraWeights[]) => new Lora(gpu, weights, config.layers, false);
      return {
        generator: new TextGenerator(new Stream(gpu), base, shape),
        loras: { base: undefined, v1: v1 && lora(v1), v2: lora(v2) },
      };
    },
    REMEDY,
  );
  const encode = promptEncoder(tokenizer, form, plan.moment);
  const ends = stopIds(model, tokenizer);
  return {
    async ask(question, { version, onText, maxNewTokens, ...options }) {
      if (version === 'v1' && !v1) {
        throw new UserError(
          'This run started a fresh adapter, so there is no V1 to ask; ask the base or V2.',
        );
      }
      const prompt = encode(question);
      const room = capacity - prompt.length;
      if (room < 1) {
        throw new UserError(
          `The question has ${prompt.length} tokens, expected fewer than ${capacity}; shorten it.`,
        );
      }
      const stream = tokenizer.stream({ skipSpecial: true });
      const ids: number[] = [];
      const onToken = (_: number, id: number): void => {
        ids.push(id);
        const text = stream.push(id);
        if (text !== '') {
          onText(text);
        }
      };
      try {
        await generator.generate([prompt], loras[version], {
          ...options,
          maxNewTokens: Math.min(room, maxNewTokens),
          stopIds: ends,
          onToken,
        });
      } catch (error) {
        if (!options.signal.aborted || error !== options.signal.reason) {
          throw error;
        }
      }
      const rest = stream.end();
      if (rest !== '') {
        onText(rest);
      }
      return tokenizer.decode(ids, { skipSpecial: true }).trim();
    },
  };
}
