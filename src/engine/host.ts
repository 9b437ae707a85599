import { recipeToYaml, recipeWithoutFile } from '../formats/recipe.ts';
import { UserError } from '../formats/user-error.ts';
import { deviceKey } from '../gpu/autotune/tuning-results.ts';
import { BaseCache } from '../model/base/cache/base-cache.ts';
import { checkWebGpu, NO_ADAPTER, requestGpu } from '../platform/browser-gpu.ts';
import { runLockFree } from '../platform/run-lock.ts';
import { choosePrecision } from '../run/choose-kernels.ts';
import { BrowserCacheStorage } from '../storage/base-cache.ts';
import { checkStorage } from '../storage/check-storage.ts';
import { openChoicesDatabase } from '../storage/choices-database.ts';
import { Conversations } from '../storage/conversations.ts';
import { KeptInputs } from '../storage/kept-inputs.ts';
import { openMirroredStore } from '../storage/mirrored-store.ts';
import { RunRecords } from '../storage/run-records.ts';
import { storedBytes } from '../storage/stored-bytes.ts';
import { TestRecords } from '../storage/test-records.ts';
import { TrayRecords } from '../storage/tray-records.ts';
import { browserTuning } from '../storage/tuning.ts';
import { type Answer, answer } from './answer.ts';
import { Chat } from './chat/chat.ts';
import { testsApi } from './comparison/api.ts';
import { TestSources } from './comparison/inputs.ts';
import { BatchTests } from './comparison/tests.ts';
import { Trays } from './corrections/trays.ts';
import { diagnose } from './diagnose.ts';
import { ExportLosses } from './exports/export-losses.ts';
import { ExportSources } from './exports/export-sources.ts';
import { exposeApi } from './expose-api.ts';
import { RunFiles } from './files/inputs.ts';
import { KeptAdapters } from './files/kept-adapters.ts';
import { KeptBases } from './files/kept-bases.ts';
import {
  appCategory,
  baseCategory,
  choicesCategory,
  copyCategory,
  deleteAllStored,
  deleteStored,
  deviceCategory,
  leftoverCategory,
  runCategory,
  storageAccount,
  testCategory,
} from './files/storage-account.ts';
import type { DeviceFacts } from './protocol/protocol.ts';
import { measureSpeed } from './runs/plan.ts';
import { keepArchive } from './runs/read-archive.ts';
import { RunNotesStore } from './runs/run-notes.ts';
import { Runs } from './runs/runs.ts';
import type { KeeperApi } from './worker-apis.ts';

const store = openMirroredStore();
const records = new RunRecords(store);
const kept = new KeptAdapters(records);
const cacheStorage = new BrowserCacheStorage();
const baseCache = new BaseCache(cacheStorage);
const keptInputs = new KeptInputs(store);
const bases = new KeptBases(records, baseCache);
const files = new RunFiles(kept, bases, baseCache, keptInputs);
const runs = new Runs(store, records, files);
store.onGivenUp((message) => runs.note(message));
const testRecords = new TestRecords(store);
const trayRecords = new TrayRecords(store);
const trays = new Trays(runs, trayRecords, files);
const tests = new BatchTests(testRecords, runs, new TestSources(runs, files, kept), trays);
const stored = () => storedBytes(store);
const book = new RunNotesStore(runs, testRecords, files, stored);
const shelves = [
  runCategory(runs, stored),
  testCategory(tests, testRecords, runs, stored),
  baseCategory(baseCache, runs),
  choicesCategory(openChoicesDatabase()),
  deviceCategory(store, runs, stored),
  leftoverCategory(store, cacheStorage, runs, stored),
  copyCategory,
  appCategory,
];
const conversations = new Conversations(store);
const chat = new Chat(runs, files, conversations);
const losses = new ExportLosses(runs, files, new ExportSources(runs, kept, bases));

/** The name of this script has a hash of all that it computes with. */
const ENGINE = location.pathname.split('/').at(-1)!;

/** Calls outside a run that compute on the GPU. */
let computing = 0;

async function whileComputing<T>(work: () => Promise<T>): Promise<T> {
  computing++;
  try {
    return await work();
  } finally {
    computing--;
  }
}

/** What holds open files of a run ends with it, and the second copy with the last of what it is kept for. */
const deleting = (work: () => Promise<undefined>): Promise<Answer<undefined>> =>
  answer(async () => {
    await work();
    await chat.closeDeleted();
    await store.emptyCopy();
    return undefined;
  });

async function deviceFacts(): Promise<DeviceFacts> {
  checkWebGpu();
  const gpu = await requestGpu();
  if (!gpu) {
    throw new UserError(NO_ADAPTER);
  }
  const { name, software } = gpu;
  const { limits, adapterInfo } = gpu.device;
  const { vendor, architecture } = adapterInfo;
  const key = `${deviceKey(gpu)}, ${ENGINE}`;
  const precision = choosePrecision(gpu, 'auto');
  gpu.close();
  return {
    name,
    software,
    maxBufferBytes: limits.maxBufferSize,
    bindingBytes: limits.maxStorageBufferBindingSize,
    precision,
    ...{ key, vendor, architecture },
  };
}

const api: KeeperApi = {
  ping: async () => undefined,
  ...testsApi(tests, () => chat.close()),
  device: () => answer(deviceFacts),
  diagnose: () =>
    answer(() =>
      diagnose({
        busy: () => runs.active !== undefined || computing > 0,
        checkStorage: () => checkStorage(store),
        account: () => storageAccount(shelves),
      }),
    ),

  recipeYaml: async (recipe) => recipeToYaml(recipe),
  defaultRecipe: async () => recipeWithoutFile(),
  measureSpeed: (inputs, settings, onEvent, signal) =>
    answer(async () => {
      runs.checkIdle();
      await chat.close();
      const options = { ...settings, baseCache, tuning: browserTuning(store) };
      const known = await kept.inputs(await bases.inputs(inputs));
      return whileComputing(() => measureSpeed(known, onEvent, options, signal));
    }),

  start: (inputs, settings, onEvent) =>
    answer(async () => {
      await chat.close();
      return runs.start(await kept.inputs(await bases.inputs(inputs)), settings, onEvent);
    }),
  resume: (id, chosen, settings, onEvent, automatic) =>
    answer(async () => {
      await chat.close();
      return runs.resume(id, chosen, settings, onEvent, automatic);
    }),
  pause: () => runs.setPaused(true),
  unpause: () => runs.setPaused(false),
  stop: async () => runs.active?.control.stop(),
  checkpointNow: async () => runs.active?.control.checkpointNow(),

  elsewhere: () => runs.elsewhere(),
  elsewhereEnded: () => runLockFree(),

  handoverFiles: (id) => answer(async () => files.outside(await runs.record(id))),
  exportLosses: (adapter, choice, rows, onEvent, signal) =>
    answer(async () => {
      runs.checkIdle();
      await chat.close();
      return losses.measure(adapter, choice, rows, onEvent, signal);
    }),
  baseFolder: (id) => answer(async () => files.baseFolderOf(await runs.record(id))),

  tray: (run) => answer(() => trays.tray(run)),
  putTray: (run, corrections, before) => answer(() => trays.put(run, corrections, before)),
  correctionFiles: (run) => answer(() => trays.files(run)),
  lacks: (id) => answer(async () => files.lacks(await runs.record(id))),
  startedWith: (id) =>
    answer(async () => {
      const found = await files.startedWith(await runs.record(id));
      const corrected = await trayRecords.corrected(id);
      return corrected.length > 0 && found.train ? { ...found, train: { ...found.train, corrected } } : found;
    }),

  runs: () => runs.list(),
  deleteTest: (id) => deleting(() => tests.delete(id)),
  deleteRun: (id) => deleting(() => runs.delete(id)),

  runNotes: () => book.notes(),
  renameRun: (id, name) => answer(() => book.rename(id, name)),
  annotateRun: (id, note) => answer(() => book.annotate(id, note)),
  family: () => book.family(),
  takeStep: (id, step) => answer(() => book.take(id, step)),
  continueFrom: (id, step) => answer(() => book.continueFrom(id, step)),
  keepArchive: (archive) => answer(() => keepArchive(records, archive)),

  checkStorage: () => answer(() => checkStorage(store)),
  storage: () => storageAccount(shelves),
  deleteStored: (key) => deleting(() => deleteStored(shelves, key)),
  deleteAllStored: () =>
    deleting(async () => {
      await runs.checkIdleEverywhere();
      await deleteAllStored(shelves);
    }),

  openChat: (run) => answer(() => chat.facts(run)),
  keepConversation: (run, after, before) =>
    answer(async () => {
      await runs.record(run);
      return conversations.put(run, after, before);
    }),
  deleteConversation: (run, id) =>
    answer(async () => {
      await conversations.delete(run, id);
      return undefined;
    }),
  chat: (run, request, onText) => answer(() => whileComputing(() => chat.ask(run, request, onText))),
  stopChat: async () => chat.stop(),
};

exposeApi(api);
