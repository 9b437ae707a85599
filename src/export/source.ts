import { type OpenAdapter, openAdapter } from '../formats/adapter.ts';
import { type BaseModel, openBaseModel } from '../formats/base-model.ts';
import type { Folder } from '../formats/byte-source.ts';
import { checkFinite, tensorPieces } from '../formats/finite.ts';
import { MAX_BYTES, readText } from '../formats/read-text.ts';
import { defaultRecipe, parseOwnRecipe, type Recipe } from '../formats/recipe.ts';
import { UserError } from '../formats/user-error.ts';
import { baseHash } from '../model/base/read/content-hash.ts';
import { CURSOR, readCursor } from '../run/checkpoint/checkpoint.ts';
import { adapterHash } from '../run/checkpoint/identity.ts';
import { loadTokenizer } from '../text/load-tokenizer.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import type { Merging, Onto } from './weights.ts';

/** What is exported: an opened and checked base and adapter. */
export interface Source extends Merging {
  readonly adapter: OpenAdapter;
  readonly adapterFolder: Folder;
  /** SHA-256 of the base, as a run records it; undefined if it was not computed. */
  readonly baseHash: string | undefined;
  readonly adapterHash: string;
  /** What the adapter was trained by, or the default values. */
  readonly recipe: Recipe;
  readonly tokenizer: TextTokenizer;
  readonly notes: readonly string[];
}

export interface SourceOptions {
  base: Folder;
  adapter: Folder;
  onto: Onto;
  /** Accept a base other than the one that the adapter was trained on, as long as the shapes fit. */
  otherBase: boolean;
  /** What to do about another base, for messages; by default what the command line offers. */
  baseRemedy?: string;
  /** SHA-256 of the base where it is known without reading the base whole. */
  baseHash?: string | undefined;
  /** For sizes alone: the weights are not read, and hashes are stood in for by others as long. */
  sizesOnly?: boolean;
  onProgress?: (done: number, total: number) => void;
}

/** Bytes are those of the base, whose hash is compared with what the adapter's run recorded. Throws UserError. */
export async function openSource(options: SourceOptions): Promise<Source> {
  const base = await openBaseModel(options.base);
  const adapter = await openAdapter(options.adapter, base.config);
  const tokenizer = await loadTokenizer(options.base, base.config.vocabSize);
  for (const { A, B } of options.sizesOnly ? [] : adapter.sources) {
    for (const tensor of [A, B]) {
      for await (const piece of tensorPieces(tensor)) {
        checkFinite(tensor, piece, 'take an earlier checkpoint or another copy of the adapter');
      }
    }
  }
  const recipe = await recipeOf(options.adapter);
  return {
    base,
    adapter,
    adapterFolder: options.adapter,
    onto: options.onto,
    recipe,
    doubleQuant: recipe.quantization.useDoubleQuant,
    baseHash: await checkedHash(base, options),
    adapterHash: options.sizesOnly ? NO_HASH : await adapterHash(options.adapter),
    tokenizer,
    notes: base.notes,
  };
}

/** As long as a SHA-256. */
const NO_HASH = '0'.repeat(64);

/** The base's hash where the adapter says which it was trained on. Throws UserError if this is another. */
async function checkedHash(base: BaseModel, options: SourceOptions): Promise<string | undefined> {
  const { adapter, otherBase, onProgress = () => undefined } = options;
  const { baseRemedy = 'name the base it was trained on, or use --other-base if this one is meant' } =
    options;
  if (otherBase || !(await adapter.open(CURSOR))) {
    return undefined;
  }
  const { identity } = await readCursor(adapter);
  if (options.sizesOnly) {
    return identity.base;
  }
  const found = options.baseHash ?? (await baseHash(base, onProgress));
  if (found === identity.base) {
    return found;
  }
  throw new UserError(
    `${adapter.name}: trained on another base than ${base.folder.name} (SHA-256 ${identity.base.slice(0, 12)}… by ${CURSOR}, found ${found.slice(0, 12)}…, over weights, config.json and tokenizer); ${baseRemedy}.`,
  );
}

async function recipeOf(adapter: Folder): Promise<Recipe> {
  const file = await adapter.open('training_config.yaml');
  // An adapter from elsewhere may have any file of that name; only Retune's own is believed.
  if (!file || !(await adapter.open(CURSOR))) {
    return defaultRecipe();
  }
  return parseOwnRecipe(await readText(file, MAX_BYTES.recipe, 'a training_config.yaml'), file.name);
}
