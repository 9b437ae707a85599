import { isRecord } from '../formats/fields.ts';
import { parseRecipe, recipeToYaml } from '../formats/recipe.ts';
import { UserError } from '../formats/user-error.ts';
import { showBytes } from '../formats/words.ts';
import { CURSOR, verifyFiles } from '../run/checkpoint.ts';
import { adapterHash, IDENTITY_NAMES, type RunIdentity } from '../run/identity.ts';
import { textFile } from '../run/store.ts';
import { blobSource } from '../storage/blob-source.ts';
import { withinQuota } from '../storage/quota.ts';
import type { RunRecords, StoredRun } from '../storage/run-records.ts';
import { zipped, type ExportFile } from './export.ts';
import { folderOf } from './files.ts';
import type { Runs } from './runs.ts';
import { readZip, type ZipEntry } from './zip-reader.ts';

/** The archive's first file: what the run is. */
const RECORD = 'retune-run.json';
/** Below it a zip needs no extension that few programs read. */
const LARGEST = 4e9;
/** A run's files as they lie in the archive and, but for the record, in the browser's database. */
const PLACES = /^(?:result|logs|checkpoint\/\d{1,9})\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$|^manifest\/\d{1,9}$/;
const REMEDY = 'choose a zip that Retune has exported, or export it again';

/** What an archive says of its run: the record without what belongs to this browser. */
type ArchivedRun = Omit<StoredRun, 'handles' | 'recipe' | 'imported' | 'restarts'> & { recipe: string };

/** The whole run as a zip: its record, result, logs and checkpoints. Throws UserError where that is too much for one. */
export async function archiveRun(runs: Runs, id: string): Promise<Blob> {
  const record = await runs.record(id);
  const notHere = { handles: undefined, imported: undefined, restarts: undefined };
  const about = { ...record, ...notHere, recipe: recipeToYaml(record.recipe) } satisfies ArchivedRun;
  const own: ExportFile[] = [];
  for (const [key, value] of await runs.records.files(id)) {
    const path = key.slice(`run/${id}/`.length);
    const blob = value instanceof Blob ? value : json(value);
    own.push({ path, source: blobSource(path, blob, 'go on without this run') });
  }
  const bytes = own.reduce((sum, { source }) => sum + source.size, 0);
  if (bytes > LARGEST)
    throw new UserError(
      `${record.name}: its files take ${showBytes(bytes)}, more than the 4 GB that a zip holds; download the result and single checkpoints instead.`,
    );
  const first = { path: RECORD, source: blobSource(RECORD, json(about), REMEDY) };
  return zipped([first, ...own], new Date(record.created));
}

/** Takes a run out of an archive, once everything in it was found sound. Throws UserError. */
export async function importRun(records: RunRecords, file: File): Promise<{ id: string; name: string }> {
  const broken = (what: string): UserError => new UserError(`${file.name}: ${what}; ${REMEDY}.`);
  const entries = await readZip(file);
  const paths = new Map<string, ZipEntry>();
  for (const entry of entries) {
    if (entry.path !== RECORD && !PLACES.test(entry.path))
      throw broken(`it holds ${JSON.stringify(entry.path)}, which is no file of a run`);
    if (paths.has(entry.path)) throw broken(`it holds ${entry.path} twice`);
    paths.set(entry.path, entry);
  }
  const about = paths.get(RECORD);
  if (!about) throw broken(`there is no ${RECORD} in it, so it is not an exported run`);
  const record = parseRecord(await readJson(about), (what) => broken(`${RECORD} ${what}`));
  const existing = await records.get(record.id);
  if (existing)
    throw new UserError(
      `${file.name}: this run is in the browser already, as ${existing.name}; delete that one first.`,
    );
  paths.delete(RECORD);
  const files: [key: string, value: unknown][] = [];
  for (const [path, entry] of paths)
    files.push([path, path.startsWith('manifest/') ? await readJson(entry) : await entry.open()]);
  await checkFiles(record, files, broken);
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  await withinQuota(record.name, bytes, () => records.restore(record, files));
  return { id: record.id, name: record.name };
}

/** Compares result and checkpoints with the hashes that stand beside them, and with the record. */
async function checkFiles(
  { status, identity, resultHash }: StoredRun,
  files: readonly (readonly [path: string, value: unknown])[],
  broken: (what: string) => UserError,
): Promise<void> {
  const blobs = files.filter((file): file is [string, Blob] => file[1] instanceof Blob);
  const folder = (place: string) => {
    const own = blobs.filter(([path]) => path.startsWith(place));
    return folderOf({
      name: place.slice(0, -1),
      files: own.map(([path, blob]) => new File([blob], path.slice(place.length))),
    });
  };
  const places = new Set(blobs.map(([path]) => path.slice(0, path.lastIndexOf('/') + 1)));
  if (status === 'finished' && !places.has('result/')) throw broken('the result of its run is missing');
  for (const place of places) {
    if (place === 'logs/') continue;
    const own = folder(place);
    // What was cut off when the run was stopped counts for nothing.
    if (place === 'result/' && !(await own.open(CURSOR))) throw broken('the result of its run is incomplete');
    const found = await verifyFiles(own).catch((error: unknown) => {
      if (!(error instanceof UserError)) throw error;
      throw broken(error.message.replace(/, so this checkpoint is broken;.*$/, ''));
    });
    const other = (Object.keys(IDENTITY_NAMES) as (keyof RunIdentity)[]).find(
      (part) => found.identity[part] !== identity[part],
    );
    if (other) throw broken(`${own.name} in it is of another run (it differs in ${IDENTITY_NAMES[other]})`);
    const step = /^checkpoint\/(\d+)\/$/.exec(place)?.[1];
    if (step !== undefined && !files.some(([path]) => path === `manifest/${step}`))
      throw broken(`the manifest of checkpoint ${step} is missing`);
  }
  if (
    resultHash !== undefined &&
    status === 'finished' &&
    (await adapterHash(folder('result/'))) !== resultHash
  )
    throw broken('the result in it is not the one that its run made');
}

/** The record, with the types that everything else relies on. */
function parseRecord(value: unknown, refuse: (what: string) => UserError): StoredRun {
  if (!isRecord(value)) throw refuse('does not hold what Retune writes there');
  const record = value as unknown as ArchivedRun;
  const { id, name, created, status, step, maxSteps, identity, inputs, log, recipe } = record;
  const sound =
    /^[0-9a-f-]{36}$/.test(String(id)) &&
    [name, recipe].every((text) => typeof text === 'string') &&
    [created, step, maxSteps].every(Number.isFinite) &&
    ['finished', 'unfinished'].includes(status) &&
    isRecord(identity) &&
    Object.keys(IDENTITY_NAMES).every((part) =>
      /^(?:[0-9a-f]{64}|none)$/.test(String(identity[part as keyof RunIdentity])),
    ) &&
    isRecord(inputs) &&
    [inputs.base, inputs.train].every((text) => typeof text === 'string') &&
    Array.isArray(log) &&
    log.every(
      (entry) => isRecord(entry) && Object.values(entry).every((v) => typeof v === 'number' || v === null),
    );
  if (!sound) throw refuse('does not hold what Retune writes there');
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    id,
    name,
    created,
    status,
    stopped: true,
    step,
    maxSteps,
    recipe: parseRecipe(recipe, RECORD).recipe,
    inputs: {
      base: inputs.base,
      source: text(inputs.source),
      train: inputs.train,
      validation: text(inputs.validation),
    },
    handles: {},
    sourceRun: text(record.sourceRun),
    sourceStep: typeof record.sourceStep === 'number' ? record.sourceStep : undefined,
    resultHash: text(record.resultHash),
    note: text(record.note),
    imported: true,
    identity,
    log,
  };
}

const json = (value: unknown): Blob => new Blob(textFile(JSON.stringify(value)) as Uint8Array<ArrayBuffer>[]);

async function readJson(entry: ZipEntry): Promise<unknown> {
  const text = await (await entry.open()).text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
