import { parseCorrections } from '../../corrections/correction.ts';
import { blobSource } from '../../formats/blob-source.ts';
import { readJson } from '../../formats/json.ts';
import { quote, shorten } from '../../formats/quote.ts';
import { UserError } from '../../formats/user-error.ts';
import { showBytes } from '../../formats/words.ts';
import { readZip, type ZipEntry } from '../../formats/zip/reader.ts';
import { CURSOR, readCursor, verifyFiles } from '../../run/checkpoint/checkpoint.ts';
import { adapterHash, IDENTITY_NAMES, type RunIdentity } from '../../run/checkpoint/identity.ts';
import { parseConversation, type StoredConversation } from '../../storage/conversation.ts';
import { MAX_CONVERSATION } from '../../storage/conversations.ts';
import { storageEstimate } from '../../storage/quota.ts';
import type { RunRecords, StoredRun } from '../../storage/run-records.ts';
import { folderOf } from '../files/files.ts';
import { type Following, type Watch, watchedFolder, watchOf } from '../watch.ts';
import { ARCHIVED_MANIFEST, CORRECTIONS, FILE, LIMITS, RECORD } from './archive-layout.ts';
import { parseArchivedRun, parseManifest } from './archived-run.ts';

/** Bytes of the record, of which nearly all is the log, and of what stands beside a checkpoint. */
const MAX_RECORD = 2 ** 26;
const MAX_MANIFEST = 2 ** 20;
/** Bytes of a list of corrections. */
const MAX_CORRECTIONS = 2 ** 28;
const REMEDY = 'choose a zip that Retune has exported, or export it again';

/** A run from an archive, fully validated, of which nothing is in the browser yet. */
export interface ReadArchive {
  /** The archive's name. */
  file: string;
  record: StoredRun;
  /** Blobs and manifests by their keys below the run's own. */
  files: readonly (readonly [key: string, value: unknown])[];
}

/**
 * Reads and validates a run from an archive. `left` are the bytes that the browser still grants. Throws UserError,
 * also for a run that is here already.
 */
export async function readArchive(
  records: RunRecords,
  file: File,
  following: Following = {},
  left = async () => (await storageEstimate()).left,
): Promise<ReadArchive> {
  const broken = (what: string): UserError => new UserError(`${file.name}: ${what}; ${REMEDY}.`);
  const entries = new Map((await readZip(file, LIMITS, REMEDY)).map((entry) => [entry.path, entry]));
  for (const path of entries.keys()) {
    checkPath(path, entries, broken);
  }
  const about = entries.get(RECORD);
  if (!about) {
    throw broken(`there is no ${RECORD} in it, so it is not an exported run`);
  }
  entries.delete(RECORD);
  const source = `${file.name}, ${RECORD}`;
  const record = parseArchivedRun(await jsonOf(about, MAX_RECORD, source, broken), source, REMEDY);
  await checkNew(records, file.name, record);
  const bytes = [...entries.values()].reduce((sum, { size }) => sum + size, 0);
  const room = await left();
  if (room !== undefined && bytes > room) {
    throw new UserError(
      `${file.name}: its files take ${showBytes(bytes)}, and the browser grants ${showBytes(room)} more; delete earlier runs or free some disk space.`,
    );
  }
  const watch = watchOf(following, bytes + hashedBytes(entries));
  const places = await readPlaces(entries, watch);
  const read = { file: file.name, record, broken, watch };
  for (const [place, files] of places) {
    await checkPlace(place, files, read);
  }
  await checkWhole(places, read);
  return { file: file.name, record, files: await keyed(entries, places, file.name, broken) };
}

/** Throws UserError for a file that is not part of a run. */
function checkPath(
  path: string,
  entries: ReadonlyMap<string, ZipEntry>,
  broken: (what: string) => UserError,
): void {
  const [, step] = ARCHIVED_MANIFEST.exec(path) ?? [];
  if (step !== undefined && !entries.has(`checkpoint/${step}/${CURSOR}`)) {
    throw broken(`checkpoint ${step} is missing, though its manifest is in it`);
  }
  if (path !== RECORD && step === undefined && !FILE.test(path) && !CORRECTIONS.test(path)) {
    throw broken(`it holds ${quote(path)}, which is no file of a run`);
  }
}

/** Stores the run in the browser, whole or not at all. Throws UserError where there is no room for it. */
export async function keepArchive(
  records: RunRecords,
  { file, record, files }: ReadArchive,
): Promise<{ id: string; name: string }> {
  await checkNew(records, file, record);
  await records.restore(record, files);
  return { id: record.id, name: record.name };
}

async function checkNew(records: RunRecords, file: string, { id }: StoredRun): Promise<void> {
  const existing = await records.get(id);
  if (existing) {
    throw new UserError(
      `${file}: this run is in the browser already, as ${shorten(existing.name)}; delete that one first.`,
    );
  }
}

/** Bytes of the files that have hashes beside them. */
function hashedBytes(entries: ReadonlyMap<string, ZipEntry>): number {
  const hashed = [...entries.values()].filter(
    ({ path }) => FILE.test(path) && !/^(?:logs|chats)\//.test(path),
  );
  return hashed.reduce((sum, { size }) => sum + size, 0);
}

/** The files of result, logs and each checkpoint by name, each as the zip's sums say. */
type Places = ReadonlyMap<string, ReadonlyMap<string, Blob>>;

async function readPlaces(entries: ReadonlyMap<string, ZipEntry>, watch: Watch): Promise<Places> {
  const places = new Map<string, Map<string, Blob>>();
  for (const [path, entry] of entries) {
    const [, place, name] = FILE.exec(path) ?? [];
    if (place === undefined || name === undefined) {
      continue;
    }
    if (!places.has(place)) {
      places.set(place, new Map());
    }
    places.get(place)!.set(name, await entry.open(watch));
  }
  return places;
}

interface Reading {
  file: string;
  record: StoredRun;
  broken: (what: string) => UserError;
  watch: Watch;
}

/** Compares a result or a checkpoint with the hashes that stand beside it, and with the record. */
async function checkPlace(
  place: string,
  files: ReadonlyMap<string, Blob>,
  { record, broken, watch }: Reading,
): Promise<void> {
  if (place === 'logs/') {
    return;
  }
  if (place === 'chats/') {
    return checkChats(files, broken);
  }
  const name = place.slice(0, -1);
  // What was cut off when the run stopped is ignored.
  if (place === 'result/' && !files.has(CURSOR)) {
    throw broken('the result of its run is incomplete');
  }
  const folder = watchedFolder(folderAt(name, files), watch);
  const found = await verifyFiles(folder).catch((error: unknown) => {
    if (!(error instanceof UserError)) {
      throw error;
    }
    throw broken(error.what);
  });
  const { files: hashes } = await readCursor(folder);
  const unlisted = [...files.keys()].find((file) => file !== CURSOR && !Object.hasOwn(hashes, file));
  if (unlisted !== undefined) {
    throw broken(`${place}${unlisted} in it is none of its run's files`);
  }
  const other = (Object.keys(IDENTITY_NAMES) as (keyof RunIdentity)[]).find(
    (part) => found.identity[part] !== record.identity[part],
  );
  if (other) {
    throw broken(`${name} in it is of another run (it differs in ${IDENTITY_NAMES[other]})`);
  }
}

/** Checks that each file is a conversation, under its own name. */
async function checkChats(files: ReadonlyMap<string, Blob>, broken: Reading['broken']): Promise<void> {
  for (const [name, blob] of files) {
    const path = `chats/${name}`;
    const { id } = await readConversation(path, blob).catch((error: unknown) => {
      throw error instanceof UserError ? broken(error.what) : error;
    });
    if (name !== `${id}.json`) {
      throw broken(`${path} in it is the conversation ${id}`);
    }
  }
}

async function readConversation(path: string, blob: Blob): Promise<StoredConversation> {
  const json = await readJson(blobSource(path, blob, REMEDY), undefined, MAX_CONVERSATION);
  return parseConversation(json, path, REMEDY);
}

/** Checks that a finished run's result is there and is the one that it made. */
async function checkWhole(places: Places, { record, broken, watch: { signal } }: Reading): Promise<void> {
  if (record.status !== 'finished') {
    return;
  }
  const result = places.get('result/');
  if (!result) {
    throw broken('the result of its run is missing');
  }
  const { resultHash } = record;
  if (resultHash === undefined) {
    return;
  }
  if ((await adapterHash(watchedFolder(folderAt('result', result), { signal }))) !== resultHash) {
    throw broken('the result in it is not the one that its run made');
  }
}

/** Everything under its key in the browser's database; a checkpoint and what is known of it come together. */
async function keyed(
  entries: ReadonlyMap<string, ZipEntry>,
  places: Places,
  file: string,
  broken: (what: string) => UserError,
): Promise<[key: string, value: unknown][]> {
  const all: [key: string, value: unknown][] = [];
  for (const [place, files] of places) {
    for (const [name, blob] of files) {
      all.push([place + name, blob]);
    }
    const step = /^checkpoint\/(\d+)\/$/.exec(place)?.[1];
    if (step === undefined) {
      continue;
    }
    const entry = entries.get(`manifest/${step}`);
    if (!entry) {
      throw broken(`the manifest of checkpoint ${step} is missing`);
    }
    const source = `${file}, ${entry.path}`;
    const sizes = new Map([...files].map(([name, { size }]) => [name, size]));
    const value = await jsonOf(entry, MAX_MANIFEST, source, broken);
    all.push([entry.path, parseManifest(value, Number(step), sizes, source, REMEDY)]);
  }
  for (const [path, entry] of entries) {
    if (CORRECTIONS.test(path)) {
      const source = `${file}, ${path}`;
      const value = await jsonOf(entry, MAX_CORRECTIONS, source, broken);
      all.push([path, parseCorrections(value, source, REMEDY)]);
    }
  }
  return all;
}

function folderAt(name: string, files: ReadonlyMap<string, Blob>) {
  return folderOf({ name, files: [...files].map(([file, blob]) => new File([blob], file)) });
}

async function jsonOf(
  entry: ZipEntry,
  maxBytes: number,
  name: string,
  broken: (what: string) => UserError,
): Promise<unknown> {
  if (entry.size > maxBytes) {
    throw broken(`${entry.path} in it takes ${showBytes(entry.size)}, more than ${showBytes(maxBytes)}`);
  }
  return readJson(blobSource(name, await entry.open(), REMEDY));
}
