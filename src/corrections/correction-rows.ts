import { counted } from '../formats/words.ts';
import type { RowsSource } from '../text/columns.ts';
import { readOrderedRows } from '../text/read-rows.ts';
import { RowColumns } from '../text/row-columns.ts';
import { type ReadRow, readRow, type RowFormat, systemPromptOf } from '../text/row-formats.ts';
import { randperm } from '../train/sampler.ts';
import type { Correction } from './correction.ts';
import { formOf, questionOf, type RowForm, rowJson, rowOf } from './row-form.ts';

/** Rows that a version, or one before it, was trained on. */
export interface EarlierRows {
  source: RowsSource;
  /** Only so many of the file's first rows count: the recipe's max_train_samples. */
  first?: number | undefined;
  /** Lines of rows that were evaluated, and not trained. */
  heldOut: ReadonlySet<number>;
}

export interface CorrectionRows {
  /** JSONL: the corrections, then the earlier rows in their files' order. */
  train: string;
  /** JSONL: the rows that were held out of the latest run's; '' where there are none. */
  heldOut: string;
  form: RowForm;
  /** How many earlier rows are among the rows, of how many there are. */
  replayed: number;
  available: number;
  /** One sentence each. */
  notes: string[];
}

/** Rows of a file that are read to tell its form. */
const SAMPLES = 200;

/**
 * The rows that a next version is trained on: the corrections in the form of the version's own rows, and earlier rows
 * against forgetting, drawn by the seed. `share` is theirs of all rows, below 1. Where `own` is false the first file is
 * that of a run before the version's, and the form is `otherwise` unless that file's is as near. No row is drawn twice,
 * none that asks what was corrected, and none that was held out. Throws UserError for rows that cannot be read.
 */
export async function correctionRows(
  corrections: readonly Correction[],
  earlier: readonly EarlierRows[],
  { share, seed, own, otherwise }: { share: number; seed: number; own: boolean; otherwise: RowForm },
): Promise<CorrectionRows> {
  const notes: string[] = [];
  const form = await formIn(earlier[0]?.source, { own, otherwise }, notes);
  const files = await inForm(form, earlier, notes);
  const asked = new Set(corrections.map(({ question }) => question.trim()));
  const seen = new Set<string>();
  /** Lines of each file that may be drawn. */
  const drawable: { file: number; line: number }[] = [];
  const heldOut: string[] = [];
  let aboutCorrected = 0;
  for (const [file, { source, first = Infinity, heldOut: lines }] of files.entries()) {
    let rows = 0;
    for await (const { line, read, json } of readRowsOf(source)) {
      if (rows++ >= first) {
        break;
      }
      const key = await hashOf(json);
      if (lines.has(line)) {
        // A copy of it in another file would train what is evaluated.
        seen.add(key);
        if (own && file === 0) {
          heldOut.push(json);
        }
        continue;
      }
      if (read.contextOnly || seen.has(key)) {
        continue;
      }
      seen.add(key);
      if (asked.has(questionOf(form, read.sample) ?? '')) {
        aboutCorrected++;
      } else {
        drawable.push({ file, line });
      }
    }
  }
  if (aboutCorrected > 0) {
    notes.push(
      `${counted(aboutCorrected, 'earlier row')} that ${aboutCorrected === 1 ? 'asks' : 'ask'} what was corrected ${aboutCorrected === 1 ? 'is' : 'are'} not replayed.`,
    );
  }
  const wanted = Math.round((corrections.length * share) / (1 - share));
  const drawn = draw(drawable, wanted, seed);
  const replayed: string[] = [];
  for (const [file, { source }] of files.entries()) {
    const lines = new Set(drawn.flatMap((one) => (one.file === file ? [one.line] : [])));
    if (lines.size === 0) {
      continue;
    }
    for await (const { line, json } of readRowsOf(source)) {
      if (lines.has(line)) {
        replayed.push(json);
      }
    }
  }
  const corrected = corrections.map((correction) => JSON.stringify(rowOf(form, correction)));
  return {
    train: jsonl([...corrected, ...replayed]),
    heldOut: jsonl(heldOut),
    form,
    replayed: replayed.length,
    available: drawable.length,
    notes,
  };
}

/** The form of the rows, by a file of earlier ones. */
async function formIn(
  source: RowsSource | undefined,
  { own, otherwise }: { own: boolean; otherwise: RowForm },
  notes: string[],
): Promise<RowForm> {
  const sampled = source && (await sampleOf(source));
  if (!sampled) {
    return otherwise;
  }
  const { form, known } = formOf(sampled.rows, sampled.system);
  if (!own && isChat(form) !== isChat(otherwise)) {
    return otherwise;
  }
  if (!known) {
    notes.push(
      `${source.name}: where its texts have question and answer was not recognized, so the corrections are put as a test asks: “### Instruction: …”.`,
    );
  }
  return form;
}

/** The files whose rows have this form. */
async function inForm(
  form: RowForm,
  earlier: readonly EarlierRows[],
  notes: string[],
): Promise<EarlierRows[]> {
  const wanted = fileFormat(form);
  const files: EarlierRows[] = [];
  for (const one of earlier) {
    const format = (await sampleOf(one.source))?.rows[0]!.format;
    if (format === wanted) {
      files.push(one);
    } else if (format !== undefined) {
      notes.push(
        `${one.source.name}: its rows have the form "${format}", the corrections "${wanted}", so none of them is replayed.`,
      );
    }
  }
  return files;
}

/** So many of the items, drawn by the seed, in their order. */
function draw<T>(items: readonly T[], count: number, seed: number): T[] {
  const order = items.length > 1 ? [...randperm(items.length, seed)] : items.map((_, i) => i);
  return order
    .slice(0, count)
    .toSorted((a, b) => a - b)
    .map((i) => items[i]!);
}

/** The first rows of a file, and the system prompt that all of these have; undefined for an empty one. */
async function sampleOf(
  source: RowsSource,
): Promise<{ rows: ReadRow[]; system: string | undefined } | undefined> {
  const rows: ReadRow[] = [];
  for await (const { read } of readRowsOf(source)) {
    rows.push(read);
    if (rows.length === SAMPLES) {
      break;
    }
  }
  const [system, ...others] = new Set(rows.map(({ sample }) => systemPromptOf(sample)));
  return rows.length > 0 ? { rows, system: others.length > 0 ? undefined : system } : undefined;
}

/** The rows of a file as read, and as lines of JSONL under the keys that are read. */
export async function* readRowsOf(
  source: RowsSource,
): AsyncGenerator<{ line: number; read: ReadRow; json: string }> {
  const columns = new RowColumns(source.name, source.columns);
  for await (const raw of readOrderedRows(source)) {
    columns.decide(raw);
    const { row, names } = columns.read(raw);
    yield { line: raw.line, read: readRow(row, names), json: rowJson(row) };
  }
}

/** A short stand-in for a row's text, so that a large file's rows need not all be held. */
async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return String.fromCharCode(...new Uint16Array(digest));
}

const isChat = ({ format }: RowForm): boolean => format !== 'text' && format !== 'completion';
const fileFormat = (form: RowForm): RowFormat => (form.format === 'turns' ? 'completion' : form.format);
const jsonl = (rows: readonly string[]): string => rows.map((row) => `${row}\n`).join('');
