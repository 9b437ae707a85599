import { expose } from 'comlink';
import { defaultRecipe, recipeToYaml } from '../formats/recipe.ts';
import { UserError } from '../formats/user-error.ts';
import { BaseCache } from '../model/base-cache.ts';
import { checkWebGpu, NO_ADAPTER, requestGpu } from '../platform/browser-gpu.ts';
import { runLockFree } from '../platform/run-lock.ts';
import { BrowserCacheStorage } from '../storage/base-cache.ts';
import { openKeptTwice } from '../storage/kept-twice.ts';
import { KeptInputs } from '../storage/kept-inputs.ts';
import { RunRecords } from '../storage/run-records.ts';
import { TestRecords } from '../storage/test-records.ts';
import { browserTuning } from '../storage/tuning.ts';
import { answer } from './answer.ts';
import { Chat } from './chat.ts';
import { checkpointFiles, runFiles, writeInto, zipped } from './export.ts';
import { RunFiles } from './inputs.ts';
import { KeptAdapters } from './kept-adapters.ts';
import { inspectAdapter, inspectBase, inspectRows, readRecipe } from './inspect.ts';
import { estimate, plan } from './plan.ts';
import type { DeviceFacts, EngineApi } from './protocol.ts';
import { keepArchive, readArchive } from './read-archive.ts';
import { archiveRun } from './run-archive.ts';
import { RunBook } from './run-book.ts';
import { Runs } from './runs.ts';
import {
  appShelf,
  baseShelf,
  copyShelf,
  deleteStored,
  runShelf,
  storageAccount,
  testShelf,
} from './storage-account.ts';
import { TestSources } from './test-inputs.ts';
import { Tests } from './tests.ts';
import { testsApi } from './tests-api.ts';

const store = openKeptTwice();
const records = new RunRecords(store);
const kept = new KeptAdapters(records);
const baseCache = new BaseCache(new BrowserCacheStorage());
const keptInputs = new KeptInputs(store);
const files = new RunFiles(kept, baseCache, keptInputs);
const runs = new Runs(store, records, files);
const testRecords = new TestRecords(store);
const tests = new Tests(testRecords, runs, new TestSources(runs, files, kept));
const book = new RunBook(runs, testRecords, files);
const shelves = [
  runShelf(runs, keptInputs),
  testShelf(tests, testRecords, runs),
  baseShelf(baseCache, runs),
  copyShelf,
  appShelf,
];
const chat = new Chat(runs, files);

let facts: Promise<DeviceFacts> | undefined;

async function deviceFacts(): Promise<DeviceFacts> {
  checkWebGpu();
  const gpu = await requestGpu();
  if (!gpu) throw new UserError(NO_ADAPTER);
  const { name, software } = gpu;
  const { limits } = gpu.device;
  gpu.close();
  return {
    name,
    software,
    maxBufferBytes: limits.maxBufferSize,
    bindingBytes: limits.maxStorageBufferBindingSize,
  };
}

const api: EngineApi = {
  ...testsApi(tests, () => chat.close()),
  device: () => answer(() => (facts = deviceFacts())),
  setDevice: async (settings) => void (runs.device = settings),

  inspectBase: (base) => answer(() => inspectBase(base)),
  inspectAdapter: (base, adapter) => answer(async () => inspectAdapter(base, await kept.resolved(adapter))),
  inspectRows: (base, rows, options) => answer(() => inspectRows(base, rows, options)),
  parseRecipe: (file) => answer(() => readRecipe(file)),
  recipeYaml: async (recipe) => recipeToYaml(recipe),
  defaultRecipe: async () => defaultRecipe(),
  plan: (inputs) =>
    answer(async () => {
      // Where there is no device the page says so by itself.
      const unknown = { software: true, bindingBytes: Infinity };
      const { software, bindingBytes } = await (facts ??= deviceFacts()).catch(() => unknown);
      return plan(await kept.inputs(inputs), { budget: runs.device.memory, software, bindingBytes });
    }),
  estimate: (inputs, onEvent) =>
    answer(async () => {
      runs.checkIdle();
      await chat.close();
      const { memory, precision } = runs.device;
      const options = { baseCache, tuning: browserTuning(store), memory, precision };
      return estimate(await kept.inputs(inputs), onEvent, options);
    }),

  start: (inputs, onEvent) =>
    answer(async () => {
      await chat.close();
      return runs.start(await kept.inputs(inputs), onEvent);
    }),
  resume: (id, chosen, onEvent, byItself) =>
    answer(async () => {
      await chat.close();
      return runs.resume(id, chosen, onEvent, byItself);
    }),
  pause: async () => runs.active?.control.pause(),
  unpause: async () => runs.active?.control.unpause(),
  stop: async () => runs.active?.control.stop(),
  checkpointNow: async () => runs.active?.control.checkpointNow(),

  elsewhere: () => runs.elsewhere(),
  elsewhereEnded: () => runLockFree(),

  runs: () => runs.list(),
  deleteRun: (id) => answer(() => runs.delete(id)),
  exportRun: (id, checkpoints) =>
    answer(async () => {
      const record = await runs.record(id);
      return zipped(await runFiles(runs.storeOf(record), checkpoints), new Date(record.created));
    }),
  exportCheckpoint: (id, step) =>
    answer(async () => {
      const record = await runs.record(id);
      return zipped(await checkpointFiles(runs.storeOf(record), step), new Date(record.created));
    }),
  exportRunInto: (id, checkpoints, folder) =>
    answer(async () => {
      const record = await runs.record(id);
      return writeInto(folder, await runFiles(runs.storeOf(record), checkpoints));
    }),

  runNotes: () => book.notes(),
  renameRun: (id, name) => answer(() => book.rename(id, name)),
  annotateRun: (id, note) => answer(() => book.annotate(id, note)),
  family: () => book.family(),
  continueFrom: (id) => answer(() => book.continueFrom(id)),
  archiveRun: (id) => answer(() => archiveRun(runs, id)),
  importRun: (file) => answer(async () => keepArchive(records, await readArchive(records, file))),

  storage: () => storageAccount(shelves),
  deleteStored: (key) => answer(() => deleteStored(shelves, key)),

  chat: (id, version, question, onText, options) =>
    answer(() => chat.ask(id, version, question, onText, options)),
  stopChat: async () => chat.stop(),
};

expose(api);
