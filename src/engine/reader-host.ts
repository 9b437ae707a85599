import { BaseCache } from '../model/base/cache/base-cache.ts';
import { BrowserCacheStorage } from '../storage/base-cache.ts';
import { openMirroredStore } from '../storage/mirrored-store.ts';
import { answer } from './answer.ts';
import { CorrectionsToRows } from './corrections/prepare-corrections.ts';
import { AdapterExports } from './exports/adapter-exports.ts';
import { ExportSources } from './exports/export-sources.ts';
import { Handovers } from './exports/handovers.ts';
import { exposeApi } from './expose-api.ts';
import {
  columnNames,
  hashRows,
  inspectAdapter,
  inspectBase,
  inspectQuestions,
  inspectRows,
  openAdapterZip,
  readRecipe,
} from './files/inspect.ts';
import { KeptAdapters } from './files/kept-adapters.ts';
import { KeptBases } from './files/kept-bases.ts';
import { exportRows, exportTokens, findRows, showRows, surveyRows } from './files/look-rows.ts';
import { promptsIn } from './files/prompts-in.ts';
import { exportedCheckpoint, runFiles, takenFiles, writeInto, zipped } from './runs/export.ts';
import { KeptRuns } from './runs/kept-runs.ts';
import { plan } from './runs/plan.ts';
import { readArchive } from './runs/read-archive.ts';
import { archiveRun } from './runs/run-archive.ts';
import type { ReaderApi } from './worker-apis.ts';

const runs = new KeptRuns(openMirroredStore());
const kept = new KeptAdapters(runs.records);
const cache = new BaseCache(new BrowserCacheStorage());
const bases = new KeptBases(runs.records, cache);
const exports = new AdapterExports(runs, new ExportSources(runs, kept, bases));
const handovers = new Handovers(runs, kept, bases);
const corrections = new CorrectionsToRows(runs, kept, bases);

const api: ReaderApi = {
  inspectBase: (base, signal) => answer(async () => inspectBase(await bases.resolved(base), signal)),
  inspectAdapter: (base, adapter, signal) =>
    answer(async () => inspectAdapter(await bases.resolved(base), await kept.resolved(adapter), signal)),
  openAdapterZip: (file, signal) => answer(() => openAdapterZip(file, signal)),
  inspectRows: (base, rows, options, signal) =>
    answer(async () => inspectRows(await bases.resolved(base), rows, options, signal)),
  hashRows: (rows, signal) => answer(() => hashRows(rows, signal)),
  surveyRows: (base, rows, maxLength, onProgress, signal) =>
    answer(async () => surveyRows(await bases.resolved(base), rows, maxLength, { onProgress, signal })),
  showRows: (base, rows, maxLength, places, signal) =>
    answer(async () => showRows(await bases.resolved(base), rows, maxLength, places, { signal })),
  findRows: (rows, text, onProgress, signal) => answer(() => findRows(rows, text, { onProgress, signal })),
  exportTokens: (base, rows, maxLength, onProgress, signal) =>
    answer(async () => exportTokens(await bases.resolved(base), rows, maxLength, { onProgress, signal })),
  exportRows: (rows, onProgress, signal) => answer(() => exportRows(rows, { onProgress, signal })),
  columnNames: (rows, signal) => answer(() => columnNames(rows, signal)),
  inspectQuestions: (file, signal) => answer(() => inspectQuestions(file, signal)),
  promptsIn: (file, of, most, signal) => answer(() => promptsIn(file, of, most, { signal })),
  parseRecipe: (file, signal) => answer(() => readRecipe(file, signal)),
  plan: (inputs, device, signal) =>
    answer(async () => plan(await kept.inputs(await bases.inputs(inputs)), device, signal)),

  exportRun: (id, checkpoints, onProgress, signal) =>
    answer(async () => {
      const record = await runs.record(id);
      const files = await runFiles(runs.storeOf(record), checkpoints);
      return zipped(files, new Date(record.created), { onProgress, signal });
    }),
  exportCheckpoint: (id, step, onProgress, signal) =>
    answer(async () => {
      const record = await runs.record(id);
      const files = await exportedCheckpoint(runs.storeOf(record), step);
      return zipped(files, new Date(record.created), { onProgress, signal });
    }),
  exportTaken: (id, take, onProgress, signal) =>
    answer(async () => {
      const record = await runs.record(id);
      const files = await takenFiles(runs.storeOf(record), take);
      return zipped(files, new Date(record.created), { onProgress, signal });
    }),
  exportRunInto: (id, checkpoints, folder, onProgress, signal, onWritten) =>
    answer(async () => {
      const record = await runs.record(id);
      const files = await runFiles(runs.storeOf(record), checkpoints);
      return writeInto(folder, files, { onProgress, signal }, onWritten);
    }),
  archiveRun: (id, onProgress, signal) => answer(() => archiveRun(runs, id, { onProgress, signal })),
  exportSizes: (adapter, onto, signal) => answer(() => exports.sizes(adapter, onto, signal)),
  exportAdapterInto: (adapter, choice, place, onExport, signal) =>
    answer(() => exports.into(adapter, choice, place, onExport, signal)),
  exportAdapterFile: (adapter, choice, name, onExport, signal) =>
    answer(() => exports.file(adapter, choice, name, onExport, signal)),
  handOver: (id, files, start, onProgress, signal) =>
    answer(() => handovers.zip(id, files, start, { onProgress, signal })),
  prepareCorrections: (run, list, files, options, signal) =>
    answer(() => corrections.prepare(run, list, files, options, signal)),
  readArchive: (file, onProgress, signal) =>
    answer(() => readArchive(runs.records, file, { onProgress, signal })),
};

exposeApi(api);
