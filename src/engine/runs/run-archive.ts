import { blobSource } from '../../formats/blob-source.ts';
import { shorten } from '../../formats/quote.ts';
import { recipeToYaml } from '../../formats/recipe.ts';
import { writeRowChanges } from '../../formats/row-changes.ts';
import { UserError } from '../../formats/user-error.ts';
import { counted, showBytes } from '../../formats/words.ts';
import { textFile } from '../../run/checkpoint/store.ts';
import { runKeys } from '../../storage/run-keys.ts';
import type { StoredRun } from '../../storage/run-records.ts';
import type { Following } from '../watch.ts';
import { LIMITS, RECORD } from './archive-layout.ts';
import { type ArchivedRun, MAX_LOG_ENTRIES, MAX_NAME, MAX_NOTE } from './archived-run.ts';
import { type ExportFile, zipped } from './export.ts';
import type { KeptRuns } from './kept-runs.ts';

const REMEDY = 'go on without this run';

/** The whole run as a zip: its record, result, logs and checkpoints. Throws UserError where that is too much for one. */
export async function archiveRun(runs: KeptRuns, id: string, following?: Following): Promise<Blob> {
  const record = await runs.record(id);
  const notHere = { handles: undefined, imported: undefined, restarts: undefined };
  const about = {
    ...record,
    ...notHere,
    recipe: recipeToYaml(record.recipe),
    changes: changesOf(record),
  } satisfies ArchivedRun;
  const own: ExportFile[] = [];
  for (const [key, value] of await runs.records.files(id)) {
    const path = key.slice(runKeys(id).all.length);
    const blob = value instanceof Blob ? value : json(value);
    own.push({ path, source: blobSource(path, blob, REMEDY) });
  }
  checkArchivable(record, own);
  const first = { path: RECORD, source: blobSource(RECORD, json(about), REMEDY) };
  return zipped([first, ...own], new Date(record.created), following);
}

function changesOf({ changes, inputs }: StoredRun): ArchivedRun['changes'] {
  return (
    changes && {
      train: changes.train && writeRowChanges(changes.train, inputs.train),
      validation: changes.validation && writeRowChanges(changes.validation, inputs.validation ?? ''),
    }
  );
}

/** Throws UserError for a run whose archive could not be imported again. */
function checkArchivable({ name, note = '', log }: StoredRun, files: readonly ExportFile[]): void {
  const instead = 'download the result and single checkpoints instead';
  const refuse = (what: string, remedy = instead): never => {
    throw new UserError(`${shorten(name)}: ${what}; ${remedy}.`);
  };
  const bytes = files.reduce((sum, { source }) => sum + source.size, 0);
  if (bytes > LIMITS.bytes) {
    refuse(`its files take ${showBytes(bytes)}, more than the 4 GB that a zip holds`);
  }
  if (files.length >= LIMITS.entries) {
    refuse(`it has ${counted(files.length, 'file')}, more than the ${LIMITS.entries} that an archive holds`);
  }
  if (log.length > MAX_LOG_ENTRIES) {
    refuse(`its log has ${log.length} entries, more than the ${MAX_LOG_ENTRIES} that an archive holds`);
  }
  if (name.length > MAX_NAME) {
    refuse(`its name has ${name.length} characters`, `shorten it to ${MAX_NAME} first`);
  }
  if (note.length > MAX_NOTE) {
    refuse(`its note has ${note.length} characters`, `shorten it to ${MAX_NOTE} first`);
  }
}

const json = (value: unknown): Blob => new Blob(textFile(JSON.stringify(value)) as Uint8Array<ArrayBuffer>[]);
