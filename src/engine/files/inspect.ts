import { parseQuestions } from '../../comparison/questions.ts';
import { readAdapter } from '../../formats/adapter.ts';
import { type BaseModel, openBaseModel } from '../../formats/base-model.ts';
import type { Folder } from '../../formats/byte-source.ts';
import { linearModules, parameterCount, PROJECTIONS } from '../../formats/decoder-weights.ts';
import { readModelLimits } from '../../formats/model-limits.ts';
import { MAX_BYTES, readText } from '../../formats/read-text.ts';
import { type ParsedRecipe, parseRecipe } from '../../formats/recipe.ts';
import { sha256 } from '../../formats/sha256.ts';
import { adapterInZip } from '../../formats/zip/adapter.ts';
import { loadTokenizer } from '../../text/load-tokenizer.ts';
import { readOrderedRows } from '../../text/read-rows.ts';
import { fitsFormat } from '../../text/row-formats.ts';
import { dateNote, encodeRows, renderRow } from '../../text/rows.ts';
import type { TextTokenizer } from '../../text/tokenizer.ts';
import { tokenizerNotes } from '../../text/tokenizer-notes.ts';
import type { QuestionsFacts } from '../protocol/comparison.ts';
import type {
  AdapterFacts,
  BaseFacts,
  ChosenFile,
  ChosenFolder,
  RowsFacts,
  RowsOptions,
} from '../protocol/protocol.ts';
import { watchedFolder, watchedSource } from '../watch.ts';
import { folderOf, sourceOf } from './files.ts';

/** Rows that a preview shows. */
const PREVIEW = 20;

/** Reads headers, configuration and tokenizer. Throws UserError. */
export async function inspectBase(base: ChosenFolder, signal?: AbortSignal): Promise<BaseFacts> {
  const model = await openBaseModel(watchedFolder(folderOf(base), { signal }));
  const tokenizer = await tokenizerOf(base);
  const { config, weightFiles } = model;
  return {
    name: base.name,
    family: config.family,
    parameters: parameterCount(config),
    layers: config.layers,
    dtype: dtypeOf(model),
    kept: model.kept.size,
    bytes: weightFiles.reduce((sum, { size }) => sum + size, 0),
    notes: [...model.notes, ...tokenizerNotes(tokenizer, config.vocabSize)],
  };
}

function dtypeOf({ quantized, tensors, config }: BaseModel): string {
  if (quantized) {
    return 'NF4';
  }
  return tensors.get(`${linearModules(config)[0]!.name}.weight`)!.dtype;
}

/** Reads an adapter whole and fits it to the base. Throws UserError. */
export async function inspectAdapter(
  base: ChosenFolder,
  adapter: ChosenFolder,
  signal?: AbortSignal,
): Promise<AdapterFacts> {
  const model = await openBaseModel(watchedFolder(folderOf(base), { signal }));
  const { config, weights } = await readAdapter(watchedFolder(folderOf(adapter), { signal }), model.config);
  const adapted = new Set(weights.map(({ module }) => module.projection));
  return {
    name: adapter.name,
    r: config.r,
    alpha: config.loraAlpha,
    dropout: config.loraDropout,
    modules: PROJECTIONS.filter((projection) => adapted.has(projection)),
    baseModelName: config.baseModelName,
    parameters: weights.reduce((sum, { A, B }) => sum + A.length + B.length, 0),
  };
}

/** The adapter in a zip, as the folder that it would be unpacked. Throws UserError. */
export async function openAdapterZip(file: File, signal?: AbortSignal): Promise<ChosenFolder> {
  const { folder, files } = await adapterInZip(file);
  const opened: File[] = [];
  for (const [name, entry] of files) {
    opened.push(new File([await entry.open({ signal })], name));
  }
  return { name: folder === '' ? file.name : `${file.name}/${folder.slice(0, -1)}`, files: opened };
}

/** Encodes all rows. Throws UserError naming the line. */
export async function inspectRows(
  base: ChosenFolder,
  rows: ChosenFile,
  options: RowsOptions,
  signal?: AbortSignal,
): Promise<RowsFacts> {
  const tokenizer = await tokenizerOf(base);
  const { maxPositions } = await readModelLimits(folderOf(base));
  const onProgress = () => signal?.throwIfAborted();
  const encoded = await encodeRows(watchedSource(sourceOf(rows), { signal }), tokenizer, {
    ...options,
    maxPositions,
    onProgress,
  });
  return {
    name: rows.file.name,
    format: encoded.format,
    rows: encoded.rows.length,
    skipped: encoded.skipped,
    ...encoded.stats,
    unit: encoded.unit,
    columnNames: encoded.names,
    columns: encoded.columns,
    notes: [...encoded.notes, ...(encoded.date === undefined ? [] : [dateNote(encoded.date)])],
    preview: encoded.rows.slice(0, PREVIEW).map((row) => ({
      line: row.line,
      pieces: renderRow(tokenizer, row),
    })),
  };
}

/** The columns of a file of rows, or the keys of its first row, unless these are keys of rows already. Throws UserError. */
export async function columnNames(rows: ChosenFile, signal?: AbortSignal): Promise<readonly string[]> {
  for await (const { row } of readOrderedRows(watchedSource(sourceOf(rows), { signal }))) {
    const names = [...row.keys()];
    return fitsFormat(names) ? [] : names;
  }
  return [];
}

/** SHA-256 of a file of rows. Throws UserError. */
export const hashRows = ({ file }: ChosenFile, signal?: AbortSignal): Promise<string> =>
  sha256(watchedSource(sourceOf({ file }), { signal }));

/** Reads training_config.yaml. Throws UserError naming the key or line. */
export async function readRecipe(file: File, signal?: AbortSignal): Promise<ParsedRecipe> {
  const source = watchedSource(sourceOf({ file }), { signal });
  const text = await readText(source, MAX_BYTES.recipe, 'a training_config.yaml');
  return parseRecipe(text, file.name);
}

/** Throws UserError naming what is wrong with the file. */
export async function inspectQuestions(file: ChosenFile, signal?: AbortSignal): Promise<QuestionsFacts> {
  const questions = await parseQuestions(watchedSource(sourceOf(file), { signal }));
  const named = (key: 'topic' | 'difficulty') =>
    [...new Set(questions.map((question) => question[key]))].filter((name) => name !== '');
  return {
    name: file.file.name,
    questions: questions.length,
    withExpected: questions.filter(({ answer }) => answer.trim() !== '').length,
    topics: named('topic'),
    difficulties: named('difficulty'),
  };
}

const loadOf = async (folder: Folder): Promise<TextTokenizer> =>
  loadTokenizer(folder, (await readModelLimits(folder)).tableRows);

let latest: { files: string; tokenizer: Promise<TextTokenizer> } | undefined;

/** The base's tokenizer; the latest is kept, since rows are looked at again whenever a setting changes. */
export function tokenizerOf(base: ChosenFolder): Promise<TextTokenizer> {
  // A base in the cache is known by its run.
  const files = [...base.files, ...(base.nested ?? []).map(({ file }) => file)]
    .map(({ name, size, lastModified }) => `${name} ${size} ${lastModified}`)
    .join('\n')
    .concat(base.run ?? '');
  if (latest?.files !== files) {
    latest = { files, tokenizer: loadOf(folderOf(base)) };
  }
  return latest.tokenizer;
}
