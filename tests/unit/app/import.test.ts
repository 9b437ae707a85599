import { zipSync } from 'fflate';
import { expect, it } from 'vitest';
import { Lineage } from '../../../src/app/runs/lineage.ts';
import type { Choices } from '../../../src/app/setup/choices.ts';
import { type AppState, initialState } from '../../../src/app/shared/app-state.ts';
import { Store } from '../../../src/app/shared/store.ts';
import { openAdapterZip } from '../../../src/engine/files/inspect.ts';
import type { ChosenFolder, EngineApi } from '../../../src/engine/protocol/protocol.ts';
import { readArchive } from '../../../src/engine/runs/read-archive.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { encodeUtf8 } from '../../../src/formats/utf8.ts';
import type { RunRecords } from '../../../src/storage/run-records.ts';
import { fixtureFiles } from '../../support/memory-folder.ts';

const V1 = fixtureFiles('cases/recipe_text/v1') as Record<string, Uint8Array>;
const below = (folder: string, files: Record<string, Uint8Array>) =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${folder}/${name}`, bytes]));

async function answer<T>(work: Promise<T>) {
  try {
    return { ok: true, value: await work } as const;
  } catch (error) {
    if (error instanceof UserError) {
      return { ok: false, sentence: error.message } as const;
    }
    throw error;
  }
}

/** Imports a zip with the real readers, where no run is kept. */
async function importZip(files: Record<string, Uint8Array>) {
  const chosen: (readonly [slot: string, folder: ChosenFolder])[] = [];
  const app = new Store<AppState>({ ...initialState, view: 'runs' });
  const engine = {
    importRun: (file: File) => answer(readArchive({} as RunRecords, file)),
    openAdapterZip: (file: File) => answer(openAdapterZip(file)),
  } as unknown as EngineApi;
  const choices = {
    choose: async (slot: string, folder: ChosenFolder) => void chosen.push([slot, folder]),
  } as unknown as Choices;
  const lineage = new Lineage(engine, app, choices);
  await lineage.import(new File([zipSync(files) as Uint8Array<ArrayBuffer>], 'v1.zip'));
  return { chosen, view: app.state.view, said: lineage.store.state.said };
}

it.each<[string, string, Record<string, Uint8Array>]>([
  ['as Retune exports it', 'v1.zip', { ...V1, ...below('checkpoint-2', V1), 'README.md': encodeUtf8('x') }],
  ['in a folder, as others pack it', 'v1.zip/fine_tuned', below('fine_tuned', V1)],
  [
    'in a folder, with what macOS adds',
    'v1.zip/fine_tuned',
    { ...below('fine_tuned', V1), '__MACOSX/fine_tuned/._adapter_config.json': encodeUtf8('x') },
  ],
])('Import takes the zip of an adapter %s to where a run starts', async (_, name, files) => {
  const { chosen, view, said } = await importZip(files);
  expect(view).toBe('setup');
  expect(said).toBeUndefined();
  expect(chosen.map(([slot, folder]) => [slot, folder.name])).toEqual([['source', name]]);
  const [[, folder]] = chosen as [(typeof chosen)[0]];
  const opened = await Promise.all(
    folder.files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const),
  );
  for (const [file, bytes] of Object.entries(V1)) {
    expect(Buffer.compare(Object.fromEntries(opened)[file]!, bytes), file).toBe(0);
  }
});

it('Import says of a zip that is neither a run nor an adapter what it lacks', async () => {
  const { chosen, view, said } = await importZip({ 'notes.txt': encodeUtf8('x') });
  expect([chosen, view]).toEqual([[], 'runs']);
  expect(said).toEqual({
    kind: 'bad',
    text: 'v1.zip: it holds "notes.txt", which is no file of a run; choose a zip that Retune has exported, or export it again.',
  });
});
