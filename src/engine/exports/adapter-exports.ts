import { type ExportSize, exportSizes, planExport } from '../../export/export.ts';
import { FORMS } from '../../export/forms.ts';
import { exportBytes } from '../../export/output-file.ts';
import { shorten } from '../../formats/quote.ts';
import { UserError } from '../../formats/user-error.ts';
import { showBytes } from '../../formats/words.ts';
import { storageEstimate } from '../../storage/quota.ts';
import { blobOf, writeFile, zipFiles } from '../files/write-files.ts';
import type {
  AdapterToUse,
  ExportApi,
  ExportChoice,
  Exported,
  Onto,
  OutputPlace,
} from '../protocol/export.ts';
import { LIMITS } from '../runs/archive-layout.ts';
import type { KeptRuns } from '../runs/kept-runs.ts';
import { watchOf } from '../watch.ts';
import type { ExportSources } from './export-sources.ts';

type OnExport = Parameters<ExportApi['exportAdapterInto']>[3];

/** Adapters of this browser in the forms that other programs load. Writes into no folder but the one it is given. */
export class AdapterExports {
  readonly #runs: KeptRuns;
  readonly #sources: ExportSources;

  constructor(runs: KeptRuns, sources: ExportSources) {
    this.#runs = runs;
    this.#sources = sources;
  }

  /** Throws UserError. */
  async sizes(adapter: AdapterToUse, onto: Onto, signal?: AbortSignal): Promise<ExportSize[]> {
    return exportSizes({ ...(await this.#sources.of(adapter, signal)), onto });
  }

  /** Throws UserError; what was written until then stays. */
  async into(
    adapter: AdapterToUse,
    choice: ExportChoice,
    { folder, file: name }: OutputPlace,
    onExport: OnExport,
    signal?: AbortSignal,
  ): Promise<Exported> {
    const { outputs, ...told } = await this.#plan(adapter, choice, onExport, signal);
    const watch = watchOf({ signal, onProgress: (done, all) => onExport('writing', done, all) }, told.bytes);
    try {
      for (const file of outputs) {
        await writeFile(folder, name === undefined ? file : { ...file, path: name }, watch);
      }
    } catch (error) {
      throw error instanceof DOMException ? notWritten(folder.name, error, told.bytes) : error;
    }
    return told;
  }

  /** Throws UserError. */
  async file(
    adapter: AdapterToUse,
    choice: ExportChoice,
    name: string,
    onExport: OnExport,
    signal?: AbortSignal,
  ): Promise<Exported & { content: Blob }> {
    const { outputs, ...told } = await this.#plan(adapter, choice, onExport, signal);
    const { bytes } = told;
    const { isFile } = FORMS[choice.form];
    if (!isFile && bytes > LIMITS.bytes) {
      throw new UserError(
        `${name}: its files take ${showBytes(bytes)}, more than the 4 GB that a zip holds; choose a smaller type, or save it into a folder.`,
      );
    }
    const { left } = await storageEstimate();
    if (left !== undefined && left < bytes) {
      throw noRoom(name, bytes, left);
    }
    const watch = watchOf({ signal, onProgress: (done, all) => onExport('writing', done, all) }, bytes);
    const inside = outputs.map((file) => ({ ...file, path: `${name}/${file.path}` }));
    try {
      const content = isFile
        ? await blobOf(outputs[0]!, watch)
        : await zipFiles(inside, new Date(await this.#created(adapter)), watch);
      // A browser that has no room for a part finds out when it is read.
      await content.slice(-1).arrayBuffer();
      return { ...told, content };
    } catch (error) {
      throw error instanceof DOMException ? noRoom(name, bytes) : error;
    }
  }

  async #plan(adapter: AdapterToUse, choice: ExportChoice, onExport: OnExport, signal?: AbortSignal) {
    const source = await this.#sources.of(adapter, signal);
    const onProgress = (done: number, total: number) => onExport('hashing', done, total);
    const { losses, ...wanted } = choice;
    const judge = losses && (() => Promise.resolve(losses));
    const { files, notes, commands = [] } = await planExport({ ...source, ...wanted, onProgress, judge });
    return { outputs: files, files: files.length, notes, commands, bytes: exportBytes(files) };
  }

  async #created({ run }: AdapterToUse): Promise<number> {
    return (await this.#runs.record(run)).created;
  }
}

const FULL = /quota|no space|disk is full|not enough space/i;

/** What a browser says when a folder takes no more. */
function notWritten(folder: string, { name, message }: DOMException, bytes: number): UserError {
  if (name === 'QuotaExceededError' || FULL.test(message)) {
    return new UserError(
      `${shorten(folder)}: the disk is full: ${showBytes(bytes)} were to be written; make room there, or choose a smaller type or another folder.`,
    );
  }
  return new UserError(
    `${shorten(folder)}: cannot be written to (${message.replace(/\.$/, '') || name}); choose another folder.`,
  );
}

function noRoom(name: string, bytes: number, left?: number): UserError {
  const room = left === undefined ? 'had no room for that' : `has room for ${showBytes(left)}`;
  return new UserError(
    `${name}: the download takes ${showBytes(bytes)}, and the browser ${room}; free some disk space, choose a smaller type, or save it into a folder.`,
  );
}
