// Reference: transformers, PretrainedConfig (dtype, torch_dtype, tie_word_embeddings).
import type { BaseModel } from '../formats/base-model.ts';
import { readJson } from '../formats/json.ts';
import { writePythonJson } from '../formats/python-json.ts';
import { MAX_BYTES } from '../formats/read-text.ts';
import { mergedCard } from './card.ts';
import type { FloatType } from './float-bytes.ts';
import type { Losses } from './losses.ts';
import { copyOutput, type OutputFile, textOutput } from './output-file.ts';
import { weightFiles } from './shards.ts';
import type { Source } from './source.ts';
import { type MergedTensor, mergedTensors } from './weights.ts';

/** The files of a base that a merged model takes over as they are. */
const COPIED = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'chat_template.jinja',
  'additional_chat_templates/tool_use.jinja',
  'LICENSE',
];
/** Maximum bytes of a file that is copied. */
const MAX_COPIED = MAX_BYTES.tokenizer;

const NAMES: Readonly<Record<FloatType, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** A base folder with the adapter merged into its weights. Without a type, each weight keeps the base's. */
export async function mergedFiles(
  source: Source,
  type?: FloatType,
  { maxShard, losses }: { maxShard?: number; losses?: Losses | undefined } = {},
): Promise<OutputFile[]> {
  const { base } = source;
  const fields = await configOf(source);
  const typed = await mergedType(source, type);
  const weights = weightFiles(
    mergedTensors(source).map((tensor) => ({ tensor, type: typed(tensor) })),
    maxShard,
  );
  const copied: OutputFile[] = [];
  for (const path of COPIED) {
    const file = await base.folder.open(path);
    if (file && file.size <= MAX_COPIED) {
      copied.push(copyOutput(path, file));
    }
  }
  return [
    ...weights,
    ...copied,
    textOutput('README.md', mergedCard(source, losses)),
    // Last: without it, the folder is no model.
    textOutput('config.json', `${writePythonJson(mergedConfig(fields, base, type))}\n`),
  ];
}

async function configOf({ base: { configFile } }: Source): Promise<Map<string, unknown>> {
  const keeping = { keepKeyOrder: true, keepNumberText: true };
  return (await readJson(configFile, keeping, MAX_BYTES.config)) as Map<string, unknown>;
}

/** The type of the linear weights where none is named. */
export async function ownType(source: Source): Promise<FloatType> {
  const linear = mergedTensors(source).find(({ name }) => name.endsWith('q_proj.weight'))!;
  return (await mergedType(source, undefined))(linear);
}

/** How each weight is written: in the type named, otherwise as the base has it, or as config.json says of codes. */
export async function mergedType(
  source: Source,
  type: FloatType | undefined,
): Promise<(tensor: MergedTensor) => FloatType> {
  const otherwise = typeOf(await configOf(source)) ?? 'BF16';
  return ({ stored }) => type ?? stored ?? otherwise;
}

const DTYPE_KEYS = ['dtype', 'torch_dtype'];

/** The type that config.json names. */
export function typeOf(config: ReadonlyMap<string, unknown>): FloatType | undefined {
  const named = DTYPE_KEYS.map((key) => config.get(key)).find((value) => value !== undefined);
  return (Object.keys(NAMES) as FloatType[]).find((type) => NAMES[type] === named);
}

/** The base's config.json with what no longer holds changed. */
function mergedConfig(
  fields: ReadonlyMap<string, unknown>,
  { untied }: BaseModel,
  type: FloatType | undefined,
): Map<string, unknown> {
  const config = new Map(fields);
  config.delete('quantization_config');
  if (type) {
    const keys = DTYPE_KEYS.filter((key) => config.has(key));
    for (const key of keys.length > 0 ? keys : ['torch_dtype']) {
      config.set(key, NAMES[type]);
    }
  }
  if (untied) {
    config.set('tie_word_embeddings', false);
  }
  return config;
}
