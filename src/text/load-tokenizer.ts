import { Tokenizer } from '@huggingface/tokenizers';
import type { ByteSource, Folder } from '../formats/byte-source.ts';
import { readJson } from '../formats/json.ts';
import { missingFile } from '../formats/missing-file.ts';
import { quote } from '../formats/quote.ts';
import { MAX_BYTES } from '../formats/read-text.ts';
import { UserError } from '../formats/user-error.ts';
import type { AddedToken } from './added-tokens.ts';
import { boundPipeline, Bounds } from './bound-pipeline.ts';
import { loadChatTemplates, TEMPLATE_FILE, TOOL_TEMPLATE_FILE } from './chat-template-files.ts';
import { checkTokenizer } from './check-tokenizer.ts';
import { nextId, type Vocabulary, withConfigTokens } from './config-tokens.ts';
import { replacingClass } from './replaced-splitting.ts';
import { TextTokenizer } from './tokenizer.ts';

/** The files of a model folder that determine how text is tokenized. */
export const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', TEMPLATE_FILE, TOOL_TEMPLATE_FILE];

type JsonObject = Record<string, unknown>;

/**
 * Loads the tokenizer of a Hugging Face model folder: tokenizer.json, tokenizer_config.json and chat_template.jinja
 * (or the `chat_template` of tokenizer_config.json). `tableRows`: rows of the model's embedding; a text that uses a
 * token beyond them is refused. Throws UserError if a file is missing, broken or of an unknown kind.
 */
export async function loadTokenizer(folder: Folder, tableRows = Infinity): Promise<TextTokenizer> {
  const file = await folder.open('tokenizer.json');
  if (!file) {
    throw await missingFile(
      folder,
      'tokenizer.json',
      "; copy it from the base model's repository into this folder",
    );
  }
  const json = await readObject(file, MAX_BYTES.tokenizer);
  const configFile = await folder.open('tokenizer_config.json');
  const config = configFile ? await readObject(configFile, MAX_BYTES.tokenizerConfig) : {};
  const bounds = new Bounds();
  const pipeline = buildPipeline(json, file.name, bounds);
  const { vocab } = json['model'] as { vocab: JsonObject };
  const vocabulary = {
    idOf: (token: string) => pipeline.token_to_id(token),
    size: Object.keys(vocab).length,
  };
  const configName = configFile?.name ?? folder.name;
  const added = withConfigTokens(addedTokens(json, file.name, vocabulary), config, configName, vocabulary);

  const named = (key: string): AddedToken | undefined => {
    const value = config[key];
    const content = isObject(value) ? value['content'] : value;
    return added.find((token) => token.content === content);
  };
  return new TextTokenizer(
    { pipeline, bounds, file: file.name, tableRows, notes: await notesOn(folder, json, config, configName) },
    added,
    { bos: named('bos_token'), eos: named('eos_token'), pad: named('pad_token'), unk: named('unk_token') },
    await loadChatTemplates(folder, config, configName),
  );
}

/** What transformers does otherwise with these files, one sentence each. */
async function notesOn(
  folder: Folder,
  json: JsonObject,
  config: JsonObject,
  configName: string,
): Promise<string[]> {
  const modelFile = await folder.open('config.json');
  const model = modelFile ? await readObject(modelFile, MAX_BYTES.config) : {};
  const replacing = replacingClass(json, config, model['model_type']);
  return replacing === undefined
    ? []
    : [
        `${configName}: transformers 5 splits texts as ${replacing} does, Retune as tokenizer.json says, like transformers 4 and llama.cpp; tokens may differ, as of a number after a blank line.`,
      ];
}

function buildPipeline(json: JsonObject, name: string, bounds: Bounds): Tokenizer {
  const model = json['model'];
  const type = isObject(model) ? (model['type'] ?? ('merges' in model ? 'BPE' : undefined)) : undefined;
  if (type !== 'BPE') {
    throw new UserError(
      `${name}: model.type is ${quote(type ?? null)}, expected "BPE", the kind that Qwen2, Qwen3 and Llama have; use such a base model.`,
    );
  }
  checkTokenizer(json, name);
  try {
    const whole = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...json };
    const pipeline = new Tokenizer({ ...whole, added_tokens: [] }, {});
    boundPipeline(pipeline, whole.pre_tokenizer, bounds);
    return pipeline;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(
      `${name}: not a tokenizer that Retune can use (${why}); use a base model with another tokenizer, or download the file again if it is damaged.`,
    );
  }
}

/**
 * The added tokens of a checked tokenizer.json. Throws UserError if the tokenizers library would assign one another
 * id than the file does: it continues from the vocabulary.
 */
function addedTokens(json: JsonObject, file: string, vocabulary: Vocabulary): AddedToken[] {
  const list = (json['added_tokens'] ?? []) as (AddedToken & { single_word?: boolean })[];
  const tokens = new Map<string, AddedToken>();
  for (const [i, { id, content, special, lstrip, rstrip, single_word, normalized }] of list.entries()) {
    const expected = vocabulary.idOf(content) ?? nextId(tokens, vocabulary);
    if (id !== expected) {
      throw new UserError(
        `${file}: added_tokens[${i}] gives the token ${quote(content)} the id ${id}, but the tokenizers library counts on to ${expected}, so that Python trains another token; take the file from the base model's repository again.`,
      );
    }
    tokens.set(content, {
      id,
      content,
      special: special === true,
      lstrip: lstrip === true,
      rstrip: rstrip === true,
      singleWord: single_word === true,
      normalized: normalized === true,
    });
  }
  return [...tokens.values()];
}

async function readObject(source: ByteSource, maxBytes: number): Promise<JsonObject> {
  const value = await readJson(source, {}, maxBytes);
  if (isObject(value)) {
    return value;
  }
  throw new UserError(`${source.name}: expected a JSON object; download the file again.`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
