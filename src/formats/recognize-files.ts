// References: huggingface_hub, docs/source/en/guides/manage-cache.md (blobs, snapshots); peft, utils/save_and_load.py
// (names of an adapter's tensors).
import { type ByteSource, readAll } from './byte-source.ts';
import { isRecord } from './fields.ts';
import { shorten } from './quote.ts';
import { MAX_BYTES } from './read-text.ts';
import { openSafetensors } from './safetensors.ts';
import { UNFINISHED } from './unfinished-download.ts';
import { UserError } from './user-error.ts';
import { decodeUtf8 } from './utf8.ts';

const INDEX = 'model.safetensors.index.json';
const WEIGHTS = 'model.safetensors';
const ADAPTER = 'adapter_model.safetensors';
const TEMPLATE = 'chat_template.jinja';

type Json = Record<string, unknown>;
const hasText = (json: Json, key: string): boolean => typeof json[key] === 'string';
const isPeft = (json: Json): boolean => hasText(json, 'peft_type');
/** A vocabulary may have any word as its key. */
const MAX_CONFIG_KEYS = 200;

/** What the JSON files of a model and an adapter have that no other of their files has, in the order of asking. */
const JSON_FILES: readonly (readonly [name: string, has: (json: Json) => boolean])[] = [
  ['adapter_config.json', isPeft],
  [INDEX, (json) => isRecord(json['weight_map'])],
  ['tokenizer.json', (json) => isRecord(json['model']) && Array.isArray(json['added_tokens'])],
  ['config.json', (json) => hasText(json, 'model_type')],
  [
    'tokenizer_config.json',
    (json) => hasText(json, 'tokenizer_class') || isRecord(json['added_tokens_decoder']),
  ],
  [
    'generation_config.json',
    (json) =>
      hasText(json, 'transformers_version') ||
      ('eos_token_id' in json && Object.keys(json).length < MAX_CONFIG_KEYS),
  ],
];

const REMEDY =
  'choose a folder that holds the files themselves, such as one that "hf download MODEL --local-dir FOLDER" makes';

/** Several times the files of any model. */
const MAX_BLOBS = 1000;

/** A file whose name says nothing, and the one it has in its model's repository. */
export interface Recognized<T> {
  name: string;
  file: T;
}

/**
 * The files of one model or adapter among files that are named by their hashes, as the `blobs` of Hugging Face's
 * cache, recognized by what is in them; others are left out. Throws UserError, beginning with `folder`, where two
 * could be the same file: of two revisions, nothing here tells which belongs to which; and where they are too many.
 */
export async function recognizeFiles<T extends ByteSource>(
  folder: string,
  blobs: readonly T[],
): Promise<Recognized<T>[]> {
  if (blobs.length > MAX_BLOBS) {
    throw new UserError(
      `${shorten(folder)}: ${blobs.length} blobs, expected one model's, at most ${MAX_BLOBS}; ${REMEDY}.`,
    );
  }
  const unfinished = blobs.find(({ name }) => UNFINISHED.test(name));
  if (unfinished) {
    throw new UserError(
      `${shorten(folder)}: ${shorten(unfinished.name)} is still being downloaded, or its download broke off; let it finish, or start it again, and then choose the folder.`,
    );
  }
  const found = new Map<string, T>();
  const add = (name: string, file: T) => {
    if (found.has(name)) {
      throw new UserError(
        `${shorten(folder)}: two of its blobs could be ${shorten(name)}, as where the cache holds two revisions; ${REMEDY}.`,
      );
    }
    found.set(name, file);
  };
  const weights: { file: T; tensors: ReadonlySet<string> }[] = [];
  let index: Json | undefined;
  for (const file of blobs) {
    const start = await startOf(file);
    if (isGguf(start)) {
      throw ggufError(folder);
    }
    if (isSafetensors(start, file.size)) {
      weights.push({ file, tensors: new Set((await openSafetensors(file)).tensors.keys()) });
      continue;
    }
    const text = await smallText(file, start);
    const json = text === undefined ? undefined : jsonOf(text);
    const name = json
      ? JSON_FILES.find(([, has]) => has(json))?.[0]
      : isTemplate(text)
        ? TEMPLATE
        : undefined;
    if (name) {
      add(name, file);
    }
    if (name === INDEX) {
      index = json!['weight_map'] as Json;
    }
  }
  for (const [name, file] of namedWeights(weights, index)) {
    add(name, file);
  }
  return [...found].map(([name, file]) => ({ name, file }));
}

/** Adapters by their tensors' names, shards by the index's, and without an index all that is left is the model. */
function* namedWeights<T>(
  weights: readonly { file: T; tensors: ReadonlySet<string> }[],
  index: Json | undefined,
): Generator<readonly [name: string, file: T]> {
  const shards = new Map<string, string[]>();
  for (const [tensor, shard] of Object.entries(index ?? {})) {
    if (typeof shard === 'string') {
      const tensors = shards.get(shard);
      if (tensors) {
        tensors.push(tensor);
      } else {
        shards.set(shard, [tensor]);
      }
    }
  }
  for (const { file, tensors } of weights) {
    if (tensors.size > 0 && [...tensors].every((name) => name.startsWith('base_model.'))) {
      yield [ADAPTER, file];
    } else if (!index) {
      yield [WEIGHTS, file];
    } else {
      for (const [shard, names] of shards) {
        if (names.every((name) => tensors.has(name))) {
          yield [shard, file];
        }
      }
    }
  }
}

/** GGUF cannot be trained further: a message for a folder or a file of it. */
export const ggufError = (name: string): UserError =>
  new UserError(
    `${shorten(name)}: GGUF, whose weights are quantized to be run, as LM Studio, Ollama and llama.cpp do, and cannot be trained; choose the folder of the model that it was made from, with config.json and .safetensors files.`,
  );

export const isGgufName = (name: string): boolean => /\.gguf$/i.test(name);

/** Throws that message for a file of it, whatever its name. */
export async function refuseGguf(file: ByteSource): Promise<void> {
  if (isGguf(await startOf(file))) {
    throw ggufError(file.name);
  }
}

const START_BYTES = 9;

async function startOf(file: ByteSource): Promise<Uint8Array> {
  const start = new Uint8Array(Math.min(START_BYTES, file.size));
  await file.read(0, start);
  return start;
}

const isGguf = (start: Uint8Array): boolean => String.fromCharCode(...start.subarray(0, 4)) === 'GGUF';

/** The header's length, which lies within the file, and its opening brace. */
function isSafetensors(start: Uint8Array, size: number): boolean {
  if (start.length < START_BYTES || start[8] !== '{'.charCodeAt(0)) {
    return false;
  }
  const length = new DataView(start.buffer).getBigUint64(0, true);
  return length > 1n && length <= BigInt(size - 8);
}

/** The text of a file that may be one of those with text; undefined for others. */
async function smallText(file: ByteSource, start: Uint8Array): Promise<string | undefined> {
  const isJson = start[0] === '{'.charCodeAt(0);
  if (file.size > (isJson ? MAX_BYTES.tokenizer : MAX_BYTES.chatTemplate)) {
    return undefined;
  }
  return decodeUtf8(await readAll(file));
}

/** Only to recognize it: whoever uses the file reads it by the stricter rules of src/formats/json.ts. */
function jsonOf(text: string): Json | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return isRecord(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a text is an adapter_config.json. */
export function isAdapterConfig(text: string): boolean {
  const json = jsonOf(text);
  return json !== undefined && isPeft(json);
}

/** A model card may quote a template, below its front matter or heading. */
const isTemplate = (text: string | undefined): boolean =>
  text !== undefined && /\{[%{]/.test(text) && text.includes('messages') && !/^\s*(?:---|#)/.test(text);
