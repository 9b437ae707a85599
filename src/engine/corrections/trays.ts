import {
  type Correction,
  correctionOf,
  correctionProblem,
  MAX_CORRECTIONS,
  rebased,
} from '../../corrections/correction.ts';
import { UserError } from '../../formats/user-error.ts';
import type { StoredRun } from '../../storage/run-records.ts';
import type { TrayRecords } from '../../storage/tray-records.ts';
import type { RunFiles } from '../files/inputs.ts';
import type { CorrectionFiles, TrayCorrection } from '../protocol/corrections.ts';
import type { KeptRuns } from '../runs/kept-runs.ts';

/** The corrections that wait at each run, and those that runs were trained on. */
export class Trays {
  readonly #runs: KeptRuns;
  readonly #trays: TrayRecords;
  readonly #files: RunFiles;

  constructor(runs: KeptRuns, trays: TrayRecords, files: RunFiles) {
    this.#runs = runs;
    this.#trays = trays;
    this.#files = files;
  }

  /** Throws UserError where there is no such run. */
  async tray(run: string): Promise<readonly TrayCorrection[]> {
    await this.#runs.record(run);
    const corrections = await this.#trays.corrections(run);
    if (corrections.length === 0) {
      return [];
    }
    const later = (await this.#runs.records.list()).filter(({ sourceRun }) => sourceRun === run);
    const trained = await Promise.all(
      later.map(async ({ id, name }) => ({ id, name, corrected: await this.#trays.corrected(id) })),
    );
    return corrections.map((correction) => {
      const found = trained.find(
        ({ corrected }) => correctionOf(corrected, correction)?.answer === correction.answer,
      );
      return found ? { ...correction, trainedIn: { run: found.id, name: found.name } } : correction;
    });
  }

  /**
   * Makes of the tray what `corrections` makes of `before`: what another tab has put there meanwhile stays. Throws
   * UserError for a correction that cannot be trained on.
   */
  async put(
    run: string,
    corrections: readonly Correction[],
    before: readonly Correction[],
  ): Promise<undefined> {
    await this.#runs.record(run);
    const problem = corrections.map(({ answer }) => correctionProblem(answer)).find(Boolean);
    if (problem !== undefined) {
      throw new UserError(problem);
    }
    await this.#trays.change(run, (kept) => {
      const all = rebased(corrections, before, kept);
      if (all.length > MAX_CORRECTIONS) {
        throw new UserError(
          `The tray has ${all.length} corrections, expected at most ${MAX_CORRECTIONS}; train on these first.`,
        );
      }
      return all;
    });
  }

  /** Rows of the run and of the runs before it, as far as the browser has them. */
  async files(run: string): Promise<CorrectionFiles> {
    const record = await this.#runs.record(run);
    const { validation } = await this.#files.rowsOf(record);
    const runs = [];
    for (const one of await this.#ancestry(record)) {
      const { train } = await this.#files.rowsOf(one);
      runs.push({ run: one.id, name: one.name, file: one.inputs.train, train });
    }
    const base = await this.#files.baseFolderOf(record).catch(() => undefined);
    return { runs, validation, base };
  }

  /** What the run and the runs before it were trained on of corrections, the latest of a question. */
  async trainedOn(run: string): Promise<readonly Correction[]> {
    const record = await this.#runs.records.get(run);
    const all: Correction[] = [];
    for (const { id } of record ? await this.#ancestry(record) : []) {
      all.push(...(await this.#trays.corrected(id)).filter((one) => !correctionOf(all, one)));
    }
    return all;
  }

  /** The run, the run that it continued, and so on. */
  async #ancestry(record: StoredRun): Promise<StoredRun[]> {
    const found = [record];
    let next = record.sourceRun;
    // An imported record may claim a cycle.
    while (next !== undefined && !found.some(({ id }) => id === next)) {
      const before: StoredRun | undefined = await this.#runs.records.get(next);
      if (!before) {
        break;
      }
      found.push(before);
      next = before.sourceRun;
    }
    return found;
  }
}
