import { UserError } from '../../formats/user-error.ts';
import { CURSOR } from '../../run/checkpoint/checkpoint.ts';
import { runKeys } from '../../storage/run-keys.ts';
import type { RunRecords, StoredRun } from '../../storage/run-records.ts';
import type { ChosenFolder, ChosenInputs } from '../protocol/protocol.ts';

/** Adapters that the browser keeps, as folders of files: results and checkpoints of runs. */
export class KeptAdapters {
  readonly #records: RunRecords;

  constructor(records: RunRecords) {
    this.#records = records;
  }

  /** The result of a run, or its checkpoint of `step`. Throws UserError where it is not there any more. */
  async open(run: string, step?: number): Promise<ChosenFolder> {
    const record = await this.#records.get(run);
    if (!record) {
      throw new UserError(
        'The run that made this adapter is no longer in this browser: it was deleted, or the site data was cleared; choose the adapter as a folder.',
      );
    }
    const keys = runKeys(record.id);
    const files = await this.#filesAt(record, step === undefined ? keys.result : keys.checkpoint(step));
    const name = step === undefined ? record.name : `${record.name}, step ${step}`;
    if (!files.some((file) => file.name === CURSOR)) {
      throw new UserError(
        step === undefined
          ? `${name}: this run has not finished, so it has no result yet; continue it, or take one of its checkpoints.`
          : `${name}: this checkpoint is no longer in this browser; later ones have taken its place, so choose one of those.`,
      );
    }
    return { name, files, run, step };
  }

  /** The same folder, with its files where it is one that the browser keeps. Throws UserError. */
  async resolved(chosen: ChosenFolder): Promise<ChosenFolder> {
    return chosen.run === undefined ? chosen : this.open(chosen.run, chosen.step);
  }

  /** The same inputs, with the source's files where the browser keeps them. Throws UserError. */
  async inputs(chosen: ChosenInputs): Promise<ChosenInputs> {
    return { ...chosen, source: chosen.source && (await this.resolved(chosen.source)) };
  }

  async #filesAt({ id }: StoredRun, prefix: string): Promise<File[]> {
    return (await this.#records.files(id, prefix)).flatMap(([key, value]) =>
      value instanceof Blob ? [new File([value], key.slice(prefix.length))] : [],
    );
  }
}
