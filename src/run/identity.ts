import type { ByteSource, Folder } from '../formats/byte-source.ts';
import { baseFiles, type BaseModel } from '../formats/base-model.ts';
import { recipeToYaml, type Recipe } from '../formats/recipe.ts';
import { piecewiseSha256, sha256, sha256Chunks } from '../formats/sha256.ts';
import { TOKENIZER_FILES } from '../text/load-tokenizer.ts';
import type { EncodedRow } from '../text/rows.ts';
import { textFile } from './store.ts';

/** SHA-256 of everything that a run's numbers depend on. */
export interface RunIdentity {
  /** Weights, config and tokenizer of the base. */
  base: string;
  /** V1's adapter_model.safetensors and adapter_config.json; 'none' where the run starts a fresh adapter. */
  source: string;
  train: string;
  /** 'none' where there are no validation rows. */
  validation: string;
  /** Ids and masks that the rows became: they also change with the chat template and the tokenizer. */
  tokens: string;
  /** The settings that have an effect. */
  recipe: string;
}

/** What each part is called in messages. */
export const IDENTITY_NAMES: Readonly<Record<keyof RunIdentity, string>> = {
  base: 'the base model',
  source: 'the source adapter',
  train: 'the training data',
  validation: 'the validation data',
  tokens: 'the tokens that the rows become (tokenizer or chat template)',
  recipe: 'the recipe',
};

/** The parts in which two runs differ, but for tokens that differ because the rows or the recipe do. */
export function differences(a: RunIdentity, b: RunIdentity): (keyof RunIdentity)[] {
  const changed = (Object.keys(IDENTITY_NAMES) as (keyof RunIdentity)[]).filter(
    (part) => a[part] !== b[part],
  );
  const explained = changed.some((part) => part === 'train' || part === 'validation' || part === 'recipe');
  return explained ? changed.filter((part) => part !== 'tokens') : changed;
}

/** One hash over several hashes. */
const joined = (hashes: readonly string[]): Promise<string> | string =>
  hashes.length === 1 ? hashes[0]! : sha256Chunks(textFile(hashes.join('\n')));

async function present(folder: Folder, names: readonly string[]): Promise<ByteSource[]> {
  const files = await Promise.all(names.map((name) => folder.open(name)));
  return files.filter((file) => file !== undefined);
}

/** An adapter's identity: its weights and its configuration. */
export async function adapterHash(folder: Folder): Promise<string> {
  const hashes = [];
  for (const file of await present(folder, ['adapter_model.safetensors', 'adapter_config.json']))
    hashes.push(await sha256(file));
  return joined(hashes);
}

/** Hashes all inputs of a run; `onProgress` in bytes. */
export async function identify(
  inputs: {
    model: BaseModel;
    source: Folder | undefined;
    train: ByteSource;
    validation: ByteSource | undefined;
    recipe: Recipe;
    rows: readonly EncodedRow[];
    evalRows: readonly EncodedRow[];
    /** The base's hash, where it is known. */
    base?: string | undefined;
  },
  onProgress: (done: number, total: number) => void,
): Promise<RunIdentity> {
  const { model, source, train, validation, recipe } = inputs;
  return {
    base: inputs.base ?? (await baseHash(model, onProgress)),
    source: source ? await adapterHash(source) : 'none',
    train: await sha256(train),
    validation: validation ? await sha256(validation) : 'none',
    tokens: await tokensHash([...inputs.rows, ...inputs.evalRows]),
    recipe: await sha256Chunks(textFile(recipeToYaml({ ...recipe, model: { name: '' }, rest: {} }))),
  };
}

/** A base's identity: its weights, configuration and tokenizer. */
export async function baseHash(
  model: BaseModel,
  onProgress: (done: number, total: number) => void,
): Promise<string> {
  const files = [...baseFiles(model), ...(await present(model.folder, TOKENIZER_FILES))];
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let done = 0;
  const hashes = [];
  for (const file of files)
    hashes.push(await piecewiseSha256(file, (bytes) => onProgress((done += bytes), total)));
  return joined(hashes);
}

function tokensHash(rows: readonly EncodedRow[]): Promise<string> {
  return sha256Chunks(rows.flatMap(({ ids, trained }) => [new Uint8Array(ids.slice().buffer), trained]));
}
