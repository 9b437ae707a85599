import { exportBytes } from '../../export/output-file.ts';
import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import { type HandedRun, planHandover } from '../../handover/handover.ts';
import { type StoredRun, UNREAD } from '../../storage/run-records.ts';
import { folderOf, sourceOf } from '../files/files.ts';
import type { KeptAdapters } from '../files/kept-adapters.ts';
import type { KeptBases } from '../files/kept-bases.ts';
import { zipFiles } from '../files/write-files.ts';
import type { HandoverFiles, HandoverStart } from '../protocol/handover.ts';
import type { KeptRuns } from '../runs/kept-runs.ts';
import { type Following, watchedFolder, watchOf } from '../watch.ts';

/** The folder in the zip. */
const FOLDER = 'handover';

/** Runs of this browser for a cluster, by the same code as `retune handover`. */
export class Handovers {
  readonly #runs: KeptRuns;
  readonly #kept: KeptAdapters;
  readonly #bases: Pick<KeptBases, 'of'>;

  constructor(runs: KeptRuns, kept: KeptAdapters, bases: Pick<KeptBases, 'of'>) {
    this.#runs = runs;
    this.#kept = kept;
    this.#bases = bases;
  }

  /** The run as a zip. Reports the base's bytes if it has to be read, then those written. Throws UserError. */
  async zip(
    id: string,
    files: HandoverFiles,
    from: HandoverStart,
    { signal, onProgress }: Following = {},
  ): Promise<Blob> {
    const record = await this.#runs.record(id);
    const { name, identity, moment, recipe, created } = record;
    const { adapter, start } = await this.#adapter(record, files, from);
    const cached = await this.#bases.of(record);
    const folder = cached ?? (files.base && folderOf(files.base));
    if (!folder) {
      throw new UserError(
        `${record.inputs.base}: this browser keeps no way to the base's folder; continue the run once with it, then hand it over.`,
      );
    }
    // A run that was closed while it read its base for the first time does not know which that is.
    const run: HandedRun | undefined = identity.base === UNREAD ? undefined : { name, identity, moment };
    const { files: outputs } = await planHandover({
      inputs: {
        base: watchedFolder(folder, { signal }),
        source: adapter,
        train: sourceOf(files.train),
        validation: files.validation && sourceOf(files.validation),
        recipe,
      },
      start,
      run,
      baseHash: cached && identity.base,
      emit: (event) => {
        signal?.throwIfAborted();
        if (event.type === 'phase' && event.phase === 'hashing') {
          onProgress?.(event.done, event.total);
        }
      },
    });
    const watch = watchOf({ signal, onProgress }, exportBytes(outputs));
    const inside = outputs.map((file) => ({ ...file, path: `${FOLDER}/${file.path}` }));
    return zipFiles(inside, new Date(created), watch);
  }

  async #adapter(
    record: StoredRun,
    files: HandoverFiles,
    from: HandoverStart,
  ): Promise<{ adapter: Folder | undefined; start: string }> {
    const { id, inputs, sourceRun, sourceStep, status } = record;
    if (from === 'latest') {
      const step =
        status === 'finished' ? undefined : (await this.#runs.storeOf(record).checkpoints()).at(-1);
      const start = step === undefined ? 'the result' : `checkpoint ${step}`;
      return { adapter: folderOf(await this.#kept.open(id, step)), start: `the adapter of ${start}` };
    }
    if (inputs.source === undefined) {
      return { adapter: undefined, start: 'a fresh adapter' };
    }
    const source = sourceRun === undefined ? files.source : await this.#kept.open(sourceRun, sourceStep);
    if (!source) {
      throw new UserError(
        `${inputs.source}: this browser keeps no way to this adapter; start from what the run made of it.`,
      );
    }
    return { adapter: folderOf(source), start: 'V1' };
  }
}
