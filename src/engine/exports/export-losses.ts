import { exportLosses } from '../../export/export.ts';
import { type JudgingRows, type Losses, lossesOf } from '../../export/losses.ts';
import { UserError } from '../../formats/user-error.ts';
import type { Gpu } from '../../gpu/device.ts';
import { withDevice } from '../../gpu/with-device.ts';
import { NO_ADAPTER, requestGpu } from '../../platform/browser-gpu.ts';
import type { StoredRun } from '../../storage/run-records.ts';
import { sourceOf } from '../files/files.ts';
import type { RunFiles } from '../files/inputs.ts';
import type { AdapterToUse, ExportChoice, LossRows, OnLossEvent } from '../protocol/export.ts';
import type { Runs } from '../runs/runs.ts';
import { given, watchedSource } from '../watch.ts';
import type { ExportSources } from './export-sources.ts';

/** Evaluates adapters before and after merging, while nothing else uses the device. Writes nothing. */
export class ExportLosses {
  readonly #runs: Runs;
  readonly #files: RunFiles;
  readonly #sources: ExportSources;

  constructor(runs: Runs, files: RunFiles, sources: ExportSources) {
    this.#runs = runs;
    this.#files = files;
    this.#sources = sources;
  }

  /** Throws UserError, or the reason of `signal`. */
  async measure(
    adapter: AdapterToUse,
    choice: ExportChoice,
    { file, trained }: LossRows,
    onEvent: OnLossEvent,
    signal = new AbortController().signal,
  ): Promise<Losses> {
    const record = await this.#runs.record(adapter.run);
    const { id, name } = record;
    return this.#runs.alone({ id, name, doing: 'measuring' }, onEvent, async (control) => {
      const stop = AbortSignal.any([signal, control.signal]);
      const rows = file ? watchedSource(sourceOf(file), { signal: stop }) : await this.#rowsOf(record);
      const source = await this.#sources.of(adapter, stop);
      const measuring = exportLosses({
        ...source,
        ...choice,
        onProgress: (done, total) => onEvent({ type: 'phase', phase: 'hashing', done, total, unit: 'bytes' }),
        judge: (opened, storedAs) =>
          lossesOf(opened, storedAs, {
            rows,
            trained,
            baseCache: this.#files.cache,
            withGpu: (work) => withDevice(openGpu, lostGpu, async (open) => work(await open())),
            emit: onEvent,
            signal: stop,
          }),
      });
      return Promise.race([measuring, given(stop)]);
    });
  }

  /** The rows that a run was evaluated on. Throws UserError where it had none, or the browser has them no more. */
  async #rowsOf(record: StoredRun): Promise<JudgingRows> {
    const { name, inputs, recipe } = record;
    const { train, validation } = await this.#files.rowsOf(record);
    if (validation) {
      return sourceOf(validation);
    }
    const heldOut = inputs.validation === undefined && recipe.training.valSize !== undefined;
    if (heldOut && train) {
      return { heldOutOf: sourceOf(train) };
    }
    const gone = heldOut ? inputs.train : inputs.validation;
    throw new UserError(
      gone === undefined
        ? `${name}: this run was evaluated on no rows; choose a file with some.`
        : `${gone}: this browser no longer has these rows; choose the file.`,
    );
  }
}

async function openGpu(): Promise<Gpu> {
  const gpu = await requestGpu();
  if (!gpu) {
    throw new UserError(NO_ADAPTER);
  }
  return gpu;
}

const lostGpu = ({ name }: Gpu, why: string): UserError =>
  new UserError(`${name} was lost (${why}); measure the losses again.`);
