import { type Folder, openThose } from '../../formats/byte-source.ts';
import { type Recipe, recipeToYaml } from '../../formats/recipe.ts';
import type { TrainingSettings } from '../../formats/recipe/settings.ts';
import { anyChanges, changesText, type RowChanges } from '../../formats/row-changes.ts';
import { joinedHash, sha256, sha256Chunks } from '../../formats/sha256.ts';
import { type Columns, columnsText, type RowsSource } from '../../text/columns.ts';
import type { EncodedRow } from '../../text/rows.ts';
import { textFile } from './store.ts';

/** SHA-256 of everything that a run's numbers depend on. */
export interface RunIdentity {
  /** Weights, config and tokenizer of the base. */
  base: string;
  /** V1's adapter_model.safetensors and adapter_config.json; 'none' if the run starts a fresh adapter. */
  source: string;
  train: string;
  /** 'none' if there are no validation rows. */
  validation: string;
  /** What of the rows is read as what; absent where it has the keys' own names, and in runs of earlier versions. */
  columns?: string;
  /** The rows left out or edited over the files; absent where there are none, and in runs of earlier versions. */
  changes?: string;
  /** Ids and masks of the encoded rows: they also change with the chat template and the tokenizer. */
  tokens: string;
  /** The settings that affect the numbers. */
  recipe: string;
}

/** The parts of a run's identity known before its base is read. */
export type InputHashes = Omit<RunIdentity, 'base'>;

/** A run's identity; the base may be known only once its weights have been read. */
export class Identification {
  readonly #hashes: InputHashes;
  readonly #onIdentity: (identity: RunIdentity) => Promise<void> | undefined;
  #identity: RunIdentity | undefined;

  /** `onIdentity` is called as soon as the identity is known. */
  constructor(hashes: InputHashes, onIdentity: (identity: RunIdentity) => Promise<void> | undefined) {
    this.#hashes = hashes;
    this.#onIdentity = onIdentity;
  }

  get known(): boolean {
    return this.#identity !== undefined;
  }

  get identity(): RunIdentity {
    if (!this.#identity) {
      throw new Error('the base has no hash yet');
    }
    return this.#identity;
  }

  /** The identity as far as it is known, with the base that `saved` has until then. */
  besides(saved: RunIdentity): RunIdentity {
    return this.#identity ?? { base: saved.base, ...this.#hashes };
  }

  async baseIs(base: string): Promise<void> {
    this.#identity = { base, ...this.#hashes };
    await this.#onIdentity(this.#identity);
  }
}

/** Names of the parts in messages. */
export const IDENTITY_NAMES: Readonly<Record<keyof RunIdentity, string>> = {
  base: 'the base model',
  source: 'the source adapter',
  train: 'the training data',
  validation: 'the validation data',
  columns: 'the columns that the rows are read from',
  changes: 'the rows left out or edited',
  tokens: 'the tokens that the rows become (tokenizer or chat template)',
  recipe: 'the recipe',
};

/** The parts in which two runs differ, leaving out tokens that differ only because the rows or the recipe do. */
export function differences(a: RunIdentity, b: RunIdentity): (keyof RunIdentity)[] {
  const changed = (Object.keys(IDENTITY_NAMES) as (keyof RunIdentity)[]).filter(
    (part) => a[part] !== b[part],
  );
  const explained = changed.some((part) =>
    ['train', 'validation', 'columns', 'changes', 'recipe'].includes(part),
  );
  return explained ? changed.filter((part) => part !== 'tokens') : changed;
}

/** An adapter's identity: its weights and its configuration. */
export async function adapterHash(folder: Folder): Promise<string> {
  const hashes = [];
  for (const file of await openThose(folder, ['adapter_model.safetensors', 'adapter_config.json'])) {
    hashes.push(await sha256(file));
  }
  return joinedHash(hashes);
}

/** Hashes all inputs of a run except the base, which takes long. */
export async function hashInputs(inputs: {
  source: Folder | undefined;
  train: RowsSource;
  validation: RowsSource | undefined;
  recipe: Recipe;
  rows: readonly EncodedRow[];
  evalRows: readonly EncodedRow[];
  columns: Readonly<Record<'train' | 'validation', Columns | undefined>>;
}): Promise<InputHashes> {
  const { source, train, validation, recipe, columns } = inputs;
  return {
    source: source ? await adapterHash(source) : 'none',
    train: await sha256(train),
    validation: validation ? await sha256(validation) : 'none',
    ...(await columnsHash(columns)),
    ...(await changesHash([train.changes, validation?.changes])),
    tokens: await tokensHash([...inputs.rows, ...inputs.evalRows]),
    recipe: await sha256Chunks(textFile(recipeToYaml(deciding(recipe)))),
  };
}

/** Settings of the training that change no number. */
const UNDECIDING: ReadonlySet<string> = new Set<keyof TrainingSettings>([
  'saveBest',
  'samplePrompts',
  'sampleTokens',
]);

/** Without what changes no number. */
function deciding({ training, ...recipe }: Recipe): Recipe {
  const decides = Object.entries(training).filter(([key]) => !UNDECIDING.has(key));
  return {
    ...recipe,
    training: Object.fromEntries(decides) as unknown as Recipe['training'],
    model: { name: '' },
    rest: {},
  };
}

async function columnsHash(
  columns: Readonly<Record<'train' | 'validation', Columns | undefined>>,
): Promise<Pick<InputHashes, 'columns'>> {
  const texts = [columns.train, columns.validation].map((one) => (one ? columnsText(one) : ''));
  return texts.some(Boolean) ? { columns: await sha256Chunks(textFile(texts.join('\n'))) } : {};
}

async function changesHash(
  changes: readonly (RowChanges | undefined)[],
): Promise<Pick<InputHashes, 'changes'>> {
  const texts = changes.map(anyChanges).map((one) => (one ? changesText(one) : ''));
  return texts.some(Boolean) ? { changes: await sha256Chunks(textFile(texts.join('\n'))) } : {};
}

function tokensHash(rows: readonly EncodedRow[]): Promise<string> {
  return sha256Chunks(rows.flatMap(({ ids, trained }) => [new Uint8Array(ids.slice().buffer), trained]));
}
