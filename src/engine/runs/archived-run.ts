import { Fields, isRecord } from '../../formats/fields.ts';
import { parseOwnRecipe } from '../../formats/recipe.ts';
import { parseRowChanges, type RowChanges } from '../../formats/row-changes.ts';
import type { LogEntry } from '../../formats/trainer-state.ts';
import type { RunIdentity } from '../../run/checkpoint/identity.ts';
import { PRECISION_CHOICES } from '../../run/precision.ts';
import { isSampleFilm } from '../../run/samples/film.ts';
import type { CheckpointManifest } from '../../storage/browser-run-store.ts';
import { type StoredRun, UNREAD } from '../../storage/run-records.ts';
import { COLUMN_KEYS, type Columns, columnsProblem } from '../../text/columns.ts';

/** What an archive says of its run: the record without what belongs to this browser. */
export type ArchivedRun = Omit<StoredRun, 'handles' | 'recipe' | 'changes' | 'imported' | 'restarts'> & {
  recipe: string;
  /** As the files of changes that the command line reads. */
  changes?: { train?: string | undefined; validation?: string | undefined } | undefined;
};

/** Characters of a run's name and of its files' names: two names of 255 that are put together have room. */
export const MAX_NAME = 1000;
/** Characters of what the user writes about a run. */
export const MAX_NOTE = 20_000;
/** Characters of a column's name. */
const MAX_COLUMN_NAME = 10_000;
/** Entries of a log: a step every tenth of a second for eleven hours. */
export const MAX_LOG_ENTRIES = 400_000;
/** Numbers of an entry. */
const MAX_LOG_KEYS = 32;
/** Characters of a recipe in YAML. */
const MAX_RECIPE = 1_000_000;
const MAX_STEPS = 1e9;
/** Milliseconds since 1970 of a day after 2099: a zip knows none. */
const MAX_DATE = Date.UTC(2100, 0, 1);
const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HASH = /^[0-9a-f]{64}$/;
const LOG_KEY = /^[a-z][a-z_]{0,63}$/;
const STEP = { whole: true, min: 0, max: MAX_STEPS } as const;

/**
 * The record that an archive brings: only what is known, in its type and bounds, and nothing of another browser.
 * `file` and `remedy` are of its messages. Throws UserError naming the key.
 */
export function parseArchivedRun(value: unknown, file: string, remedy: string): StoredRun {
  const fields = new Fields(file, value, '', remedy);
  const maxSteps = fields.number('maxSteps', STEP);
  const names = fields.section('inputs');
  const inputName = (key: 'source' | 'validation') => optional(names, key, () => text(names, key, MAX_NAME));
  return {
    id: matching(fields, 'id', ID, 'the id of a run'),
    name: text(fields, 'name', MAX_NAME),
    created: fields.number('created', { whole: true, min: 0, max: MAX_DATE }),
    status: fields.choice('status', ['finished', 'unfinished']),
    stopped: true,
    step: fields.number('step', { ...STEP, max: maxSteps }),
    maxSteps,
    recipe: parseOwnRecipe(text(fields, 'recipe', MAX_RECIPE), `${file}: recipe`),
    inputs: {
      base: text(names, 'base', MAX_NAME),
      source: inputName('source'),
      train: text(names, 'train', MAX_NAME),
      validation: inputName('validation'),
    },
    handles: {},
    columns: optional(fields, 'columns', () => parseColumnsOf(fields)),
    changes: optional(fields, 'changes', () => parseChangesOf(fields)),
    sourceRun: optional(fields, 'sourceRun', () => matching(fields, 'sourceRun', ID, 'the id of a run')),
    sourceStep: optional(fields, 'sourceStep', () => fields.number('sourceStep', STEP)),
    sourceLineage: optional(fields, 'sourceLineage', () => {
      const lineage = fields.section('sourceLineage');
      const hash = (key: 'base' | 'source') => matching(lineage, key, HASH, 'a SHA-256');
      const isFresh = lineage.values['source'] === 'none';
      return { base: hash('base'), source: isFresh ? 'none' : hash('source') };
    }),
    precision: optional(fields, 'precision', () => fields.choice('precision', PRECISION_CHOICES)),
    resultHash: optional(fields, 'resultHash', () => matching(fields, 'resultHash', HASH, 'a SHA-256')),
    best: optional(fields, 'best', () => {
      const best = fields.section('best');
      return { step: best.number('step', { ...STEP, max: maxSteps }), evalLoss: best.number('evalLoss', {}) };
    }),
    baseline: optional(fields, 'baseline', () => fields.number('baseline', {})),
    samples: optional(fields, 'samples', () => {
      const { samples } = fields.values;
      return isSampleFilm(samples) ? samples : fields.refuse('samples', 'prompts and the answers to them');
    }),
    taken: optional(fields, 'taken', () => {
      const taken = fields.section('taken');
      return {
        step: taken.number('step', { ...STEP, max: maxSteps }),
        hash: matching(taken, 'hash', HASH, 'a SHA-256'),
      };
    }),
    note: optional(fields, 'note', () => text(fields, 'note', MAX_NOTE)),
    imported: true,
    identity: parseIdentity(fields),
    log: parseLog(fields, remedy),
  };
}

/** What stands beside a checkpoint in the browser's database, of which only what the archive alone can tell is taken. */
export function parseManifest(
  value: unknown,
  step: number,
  sizes: ReadonlyMap<string, number>,
  file: string,
  remedy: string,
): CheckpointManifest {
  const fields = new Fields(file, value, '', remedy);
  return {
    step,
    files: Object.fromEntries(sizes),
    bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    loss: optional(fields, 'loss', () => fields.number('loss', {})),
    rescue: fields.boolean('rescue', false),
  };
}

function parseIdentity(fields: Fields): RunIdentity {
  const section = fields.section('identity');
  const hash = (part: keyof RunIdentity, instead?: string): string =>
    instead !== undefined && section.values[part] === instead
      ? instead
      : matching(section, part, HASH, 'a SHA-256');
  return {
    // A run that was closed while its base was read for the first time has no hash of it yet.
    base: hash('base', UNREAD),
    source: hash('source', 'none'),
    train: hash('train'),
    validation: hash('validation', 'none'),
    ...(section.has('columns') && { columns: hash('columns') }),
    ...(section.has('changes') && { changes: hash('changes') }),
    tokens: hash('tokens'),
    recipe: hash('recipe'),
  };
}

function parseColumnsOf(fields: Fields): StoredRun['columns'] {
  const section = fields.section('columns');
  const one = (part: 'train' | 'validation'): Columns | undefined =>
    optional(section, part, () => {
      const given = section.section(part);
      const columns = Object.fromEntries(
        COLUMN_KEYS.flatMap((key) => (given.has(key) ? [[key, text(given, key, MAX_COLUMN_NAME)]] : [])),
      );
      return columnsProblem(columns) === undefined
        ? columns
        : section.refuse(part, 'the columns that make a row, such as those of instruction and output');
    });
  return { train: one('train'), validation: one('validation') };
}

function parseChangesOf(fields: Fields): StoredRun['changes'] {
  const section = fields.section('changes');
  const one = (part: 'train' | 'validation'): RowChanges | undefined =>
    optional(section, part, () => {
      const { of, leftOut, edited } = parseRowChanges(
        section.string(part),
        `${fields.file}: changes.${part}`,
      );
      return { of, leftOut, edited };
    });
  return { train: one('train'), validation: one('validation') };
}

function parseLog({ file, values }: Fields, remedy: string): LogEntry[] {
  const { log } = values;
  if (!Array.isArray(log) || log.length > MAX_LOG_ENTRIES) {
    const found = Array.isArray(log) ? `${log.length} entries` : log;
    const expected = `a list of at most ${MAX_LOG_ENTRIES} entries`;
    return new Fields(file, { log: found }, '', remedy).refuse('log', expected);
  }
  return log.map((entry: unknown, i) => {
    const key = `log[${i}]`;
    const refuse = (): never =>
      new Fields(file, { [key]: entry }, '', remedy).refuse(key, "step, epoch and a log's numbers by name");
    if (!isRecord(entry) || Object.keys(entry).length > MAX_LOG_KEYS) {
      return refuse();
    }
    const numbers = Object.entries(entry).map(([name, value]) => {
      // What was not a number when it was written is null in JSON.
      const number = value === null ? NaN : value;
      return typeof number === 'number' && LOG_KEY.test(name) ? ([name, number] as const) : refuse();
    });
    const { step, epoch } = entry;
    if (!Number.isSafeInteger(step) || !Number.isFinite(epoch)) {
      return refuse();
    }
    return { ...Object.fromEntries(numbers), step: step as number, epoch: epoch as number };
  });
}

function text(fields: Fields, key: string, max: number): string {
  const found = fields.string(key);
  return found.length <= max ? found : fields.refuse(key, `text of at most ${max} characters`);
}

function matching(fields: Fields, key: string, pattern: RegExp, expected: string): string {
  const found = fields.string(key);
  return pattern.test(found) ? found : fields.refuse(key, expected);
}

function optional<T>(fields: Fields, key: string, read: () => T): T | undefined {
  return fields.has(key) ? read() : undefined;
}
