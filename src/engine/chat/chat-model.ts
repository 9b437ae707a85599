import { openAdapter, readAdapter } from '../../formats/adapter.ts';
import { openBaseModel } from '../../formats/base-model.ts';
import type { Folder } from '../../formats/byte-source.ts';
import type { Recipe } from '../../formats/recipe.ts';
import { UserError } from '../../formats/user-error.ts';
import { type ChatMessage, conversationEncoder, stopIds } from '../../generate/prompt-form.ts';
import type { Sampling } from '../../generate/sampling.ts';
import { StopTexts } from '../../generate/stop-texts.ts';
import { TextGenerator } from '../../generate/text-generator.ts';
import type { Gpu } from '../../gpu/device.ts';
import { Stream } from '../../gpu/stream.ts';
import type { BaseCache } from '../../model/base/cache/base-cache.ts';
import { loadBase } from '../../model/base/load.ts';
import { readCursor } from '../../run/checkpoint/checkpoint.ts';
import { generationPlan, withinMemory } from '../../run/plan/memory-plan.ts';
import { loadTokenizer } from '../../text/load-tokenizer.ts';
import type { ChatReply, ChatVersion } from '../protocol/chat.ts';
import { LoadedAdapters } from './loaded-adapters.ts';

/** Tokens of a conversation and its next answer together; fewer where one buffer could not hold their activations. */
const CAPACITIES = [4096, 2048];
const REMEDY = 'close other programs that use the GPU';

/** One base with the adapters over it, ready to answer. */
export interface ChatModel {
  /** Throws UserError where the conversation is too long, or the chat template refuses it. */
  ask(messages: readonly ChatMessage[], call: Ask): Promise<ChatReply>;
}

export interface Ask {
  version: ChatVersion;
  sampling: Sampling;
  maxNewTokens: number;
  seed: number;
  /** With the seed it determines the random sequence. */
  turn: number;
  /** The answer ends before the first of these. */
  stop: readonly string[];
  signal: AbortSignal;
  onText: (text: string) => void;
}

export interface ChatFolders {
  base: Folder;
  /** What the run started from; undefined for a fresh adapter. */
  v1: Folder | undefined;
  /** The result, or the latest checkpoint. */
  v2: Folder;
  /** Throws UserError where it is gone. */
  checkpoint: (step: number) => Promise<Folder>;
}

/** Brings the base to the device; adapters follow when they are asked. Throws UserError. */
export async function openChatModel(
  gpu: Gpu,
  folders: ChatFolders,
  recipe: Recipe,
  baseCache: BaseCache,
): Promise<ChatModel> {
  const model = await openBaseModel(folders.base);
  const { config } = model;
  const tokenizer = await loadTokenizer(folders.base, config.vocabSize);
  const { prompt: form, plan } = await readCursor(folders.v2);
  const encode = conversationEncoder(tokenizer, form, plan.moment);
  const sources = await Promise.all(
    [folders.v2, folders.v1].map(async (folder) =>
      folder ? (await openAdapter(folder, config)).sources : [],
    ),
  );
  const modules = sources[0]!.map(({ module }) => module);
  const rank = sources.flat().reduce((most, { module }) => Math.max(most, module.r), 1);
  const capacity = capacityOn(gpu, config);
  const shape = { sequences: 1, capacity, rank };
  const doubleQuant = recipe.quantization.useDoubleQuant;
  const cache = await baseCache.slot(model, doubleQuant);
  const memory = generationPlan({ model, doubleQuant, modules, shape });
  const generator = await withinMemory(
    gpu,
    memory,
    async () => {
      const base = await loadBase(gpu, model, { doubleQuant, positions: capacity, cache });
      return new TextGenerator(new Stream(gpu), base, shape);
    },
    REMEDY,
  );
  const adapters = new LoadedAdapters(gpu, config.layers, async (version) => {
    const folder = await folderOf(version, folders);
    return folder && (await readAdapter(folder, config)).weights;
  });
  const ends = stopIds(model, tokenizer);
  return {
    async ask(messages, { version, onText, maxNewTokens, sampling, seed, turn, stop, signal }) {
      const prompt = encoded(encode, messages);
      const room = capacity - prompt.length;
      if (room < 1) {
        const what = messages.length > 1 ? 'conversation' : 'question';
        const remedy = messages.length > 1 ? 'begin a new one' : 'shorten it';
        throw new UserError(
          `The ${what} has ${prompt.length} tokens, expected fewer than ${capacity}; ${remedy}.`,
        );
      }
      const lora = await withinMemory(gpu, memory, () => adapters.get(version), REMEDY);
      const stream = tokenizer.stream({ skipSpecial: true });
      const texts = new StopTexts(stop);
      const cut = new AbortController();
      let said = '';
      const say = (text: string): void => {
        if (text !== '') {
          said += text;
          onText(text);
        }
      };
      let ended: ChatReply['ended'];
      try {
        const [generated] = await generator.generate([prompt], lora, {
          ...{ sampling, seed, numbers: [turn], stopIds: ends },
          maxNewTokens: Math.min(room, maxNewTokens),
          signal: AbortSignal.any([signal, cut.signal]),
          onToken: (_, id) => {
            say(texts.push(stream.push(id)));
            if (texts.found) {
              cut.abort(cut);
            }
          },
        });
        ended = generated!.stopped;
      } catch (error) {
        if (!(signal.aborted && error === signal.reason) && error !== cut) {
          throw error;
        }
        ended = 'cancelled';
      }
      say(texts.push(stream.end()) + texts.end());
      return { text: said.trim(), ended: texts.found ? 'stop text' : ended };
    },
  };
}

/** Throws UserError as a whole sentence. */
function encoded(
  encode: (messages: readonly ChatMessage[]) => number[],
  messages: readonly ChatMessage[],
): number[] {
  try {
    return encode(messages);
  } catch (error) {
    if (error instanceof UserError) {
      throw new UserError(`This conversation cannot be continued: ${error.message.replace(/\.$/, '')}.`);
    }
    throw error;
  }
}

/** Its rank-sized and head-sized buffers are smaller than one of `intermediateSize` values a token. */
function capacityOn(
  { device }: Gpu,
  { maxPositions, intermediateSize }: { maxPositions: number; intermediateSize: number },
): number {
  const fits = (capacity: number): boolean =>
    4 * Math.min(capacity, maxPositions) * intermediateSize <= device.limits.maxStorageBufferBindingSize;
  return Math.min(CAPACITIES.find(fits) ?? CAPACITIES.at(-1)!, maxPositions);
}

async function folderOf(
  version: ChatVersion,
  { v1, v2, checkpoint }: ChatFolders,
): Promise<Folder | undefined> {
  switch (version) {
    case 'base':
      return undefined;
    case 'v1':
      if (!v1) {
        throw new UserError(
          'This run started a fresh adapter, so there is no V1 to ask; ask the base or V2.',
        );
      }
      return v1;
    case 'v2':
      return v2;
    default:
      return checkpoint(Number(version.slice('checkpoint-'.length)));
  }
}
