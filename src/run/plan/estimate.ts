import { missingOfAdapter } from '../../formats/adapter.ts';
import { type AdapterConfig, newAdapterConfig, parseAdapterConfig } from '../../formats/adapter-config.ts';
import { type BaseModel, openBaseModel } from '../../formats/base-model.ts';
import type { Folder } from '../../formats/byte-source.ts';
import { readJson } from '../../formats/json.ts';
import { type LoraModule, loraModules } from '../../formats/lora-modules.ts';
import { MAX_BYTES } from '../../formats/read-text.ts';
import type { Recipe } from '../../formats/recipe.ts';
import { stateBits } from '../../formats/recipe/training.ts';
import { UserError } from '../../formats/user-error.ts';
import type { Precision } from '../../gpu/kernels/linear/nf4-variant.ts';
import { savedFormatOf } from '../../model/activation-checkpointing.ts';
import { LOGIT_MIB } from '../../model/activations.ts';
import { templateFor } from '../../text/chat-template-files.ts';
import { loadTokenizer } from '../../text/load-tokenizer.ts';
import { wallClock } from '../../text/moment.ts';
import { prepareSamples } from '../samples/prepare.ts';
import type { PassInput } from './pass-size.ts';

/**
 * The memory of a run of this recipe over rows of max_seq_length tokens, all of them trained. Reads headers and
 * configuration, no weights or rows. Sample prompts are encoded without a system prompt, as chats where the model has a
 * template. Throws UserError.
 */
export async function estimateMemory({
  base,
  source,
  recipe,
  precision = 'f32',
}: {
  base: Folder;
  /** V1; undefined for a fresh adapter from the recipe's lora section. */
  source: Folder | undefined;
  recipe: Recipe;
  precision?: Precision;
}): Promise<PassInput> {
  if (recipe.training.maxLength === Infinity) {
    throw new UserError(
      'training.max_seq_length is null: rows are not cut, so how long they are is not known; say a length.',
    );
  }
  const model = await openBaseModel(base);
  const adapter = source ? await readConfig(source) : newAdapterConfig(recipe.lora, recipe.model.name);
  const { maxLength, batchSize, accumulationSteps } = recipe.training;
  const rows = batchSize * accumulationSteps;
  const modules = loraModules(adapter, model.config);
  return {
    model,
    doubleQuant: recipe.quantization.useDoubleQuant,
    modules,
    samples: await sampleShape(recipe, model, modules),
    stateBits: stateBits(recipe.training),
    positions: maxLength,
    windowTokens: rows * maxLength,
    stepTargets: rows * (maxLength - 1),
    savedFormat: savedFormatOf(precision),
    logitMiB: LOGIT_MIB,
  };
}

async function sampleShape({ training }: Recipe, model: BaseModel, modules: readonly LoraModule[]) {
  if (!training.samplePrompts?.length) {
    return undefined;
  }
  const tokenizer = await loadTokenizer(model.folder, model.config.vocabSize);
  const samples = prepareSamples(training, {
    ...{ model, tokenizer, moment: wallClock(), system: undefined },
    chat: templateFor(tokenizer.templates, false) !== undefined,
    rank: Math.max(...modules.map(({ r }) => r)),
    ...{ isDue: () => false, maxSteps: 0 },
  });
  return samples?.shape;
}

async function readConfig(folder: Folder): Promise<AdapterConfig> {
  const file = await folder.open('adapter_config.json');
  if (!file) {
    throw await missingOfAdapter(folder, 'adapter_config.json');
  }
  return parseAdapterConfig(await readJson(file, { keepFloats: true }, MAX_BYTES.config), file.name);
}
