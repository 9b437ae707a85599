// Reference: huggingface_hub, docs/source/en/guides/model-cards.md (YAML between two lines of dashes).
import type { Folder } from '../formats/byte-source.ts';
import { isRecord } from '../formats/fields.ts';
import { MAX_BYTES, readText } from '../formats/read-text.ts';
import { UserError } from '../formats/user-error.ts';
import { parseYaml } from '../formats/yaml.ts';
import type { RunIdentity } from './checkpoint/identity.ts';

const CARD = 'README.md';
/** The key of a card under which an adapter's lineage stands. */
const KEY = 'retune';
const HASH = /^[0-9a-f]{64}$/;

/** What an adapter's card says of where it comes from: hashes of its base and of the adapter that it continued. */
export interface CardLineage {
  readonly base: string;
  /** 'none' if it began with a fresh adapter. */
  readonly source: string;
}

/** The lines of a card's front matter that `readCardLineage` reads: the hashes of the inputs of a run. */
export const lineageLines = (identity: RunIdentity): string =>
  [`${KEY}:`, ...Object.entries(identity).map(([part, hash]) => `  ${part}: ${JSON.stringify(hash)}`)].join(
    '\n',
  );

/**
 * The lineage in the card beside an adapter; undefined if it has no card, or one that says nothing of it. A card is
 * text by anybody: what it claims is shown, and nothing is decided by it.
 */
export async function readCardLineage(folder: Folder): Promise<CardLineage | undefined> {
  const file = await folder.open(CARD);
  if (!file || file.size > MAX_BYTES.recipe) {
    return undefined;
  }
  try {
    const text = await readText(file, MAX_BYTES.recipe, 'a model card');
    const [, front] = /^---\r?\n([^]*?)\r?\n---\r?(?:\n|$)/.exec(text) ?? [];
    const values = front === undefined ? undefined : parseYaml(front, file.name);
    const lineage = isRecord(values) ? values[KEY] : undefined;
    const { base, source } = isRecord(lineage) ? lineage : {};
    return isHash(base) && (source === 'none' || isHash(source)) ? { base, source } : undefined;
  } catch (error) {
    if (error instanceof UserError) {
      return undefined;
    }
    throw error;
  }
}

const isHash = (value: unknown): value is string => typeof value === 'string' && HASH.test(value);
