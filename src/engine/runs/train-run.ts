import type { UseStore } from 'idb-keyval';
import { readJson } from '../../formats/json.ts';
import { parseTrainerState } from '../../formats/trainer-state.ts';
import { requestGpu } from '../../platform/browser-gpu.ts';
import { readCardLineage } from '../../run/card-lineage.ts';
import { adapterHash, type InputHashes, type RunIdentity } from '../../run/checkpoint/identity.ts';
import type { DeviceSettings } from '../../run/device-settings.ts';
import type { RunEvent } from '../../run/events.ts';
import { finetune } from '../../run/finetune.ts';
import type { FinetuneResult } from '../../run/options.ts';
import type { BrowserRunStore } from '../../storage/browser-run-store.ts';
import { type RunRecords, type StoredRun, UNREAD } from '../../storage/run-records.ts';
import { TrayRecords } from '../../storage/tray-records.ts';
import { browserTuning } from '../../storage/tuning.ts';
import { type Moment, wallClock } from '../../text/moment.ts';
import { handlesOf, runInputs } from '../files/files.ts';
import type { RunFiles } from '../files/inputs.ts';
import type { ChosenInputs, RunOutcome } from '../protocol/protocol.ts';
import { type Attempt, recovering } from './device-loss.ts';
import type { RunControl } from './run-control.ts';
import { RunJournal, withTimes } from './run-journal.ts';
import { checkSameFiles, newRecord } from './run-record.ts';

export interface TrainingParts {
  id: string;
  name: string;
  inputs: ChosenInputs;
  /** undefined for a new run. */
  record: StoredRun | undefined;
  settings: DeviceSettings;
  control: RunControl;
  onEvent: (event: RunEvent) => void;
  store: BrowserRunStore;
  records: RunRecords;
  files: RunFiles;
  /** Holds what the tuner found of this device, and what was corrected. */
  database: UseStore;
}

/** One run of the browser's from its start, or from its last checkpoint, to its end. */
export class RunTraining {
  readonly #parts: TrainingParts;
  readonly #settings: DeviceSettings;
  readonly #moment: Moment | undefined;
  /** There is none before a new run's identity is known. */
  #journal: RunJournal | undefined;

  constructor(parts: TrainingParts) {
    this.#parts = parts;
    const { record, records, settings } = parts;
    // A run keeps the precision and the date that it began with.
    this.#settings = record ? { ...settings, precision: record.precision ?? 'auto' } : settings;
    this.#moment = record ? record.moment : wallClock();
    this.#journal = record && new RunJournal(records, { ...record, stopped: false });
  }

  /** Trains to the end, or until it is stopped, through losses of the device. Throws UserError. */
  async train(): Promise<RunOutcome & { id: string }> {
    const { signal } = this.#parts.control;
    const result = await recovering((attempt) => this.#attempt(attempt), {
      request: requestGpu,
      note: (text) => this.#hear({ type: 'note', text }),
      now: () => performance.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      signal,
    }).catch((error: unknown): FinetuneResult => {
      if (!signal.aborted || error !== signal.reason) {
        throw error;
      }
      const { step = 0, maxSteps = 0 } = this.#journal?.record ?? {};
      return { status: 'stopped', step, maxSteps };
    });
    return this.#end(result);
  }

  #attempt({ openGpu, gone }: Attempt): Promise<FinetuneResult> {
    const { inputs, control, store, files, database } = this.#parts;
    return finetune({
      inputs: runInputs(inputs),
      store,
      baseCache: files.cache,
      resume: 'exact',
      tuning: browserTuning(database),
      moment: this.#moment,
      ...this.#settings,
      openGpu,
      emit: (event) => {
        if (!gone.aborted) {
          this.#hear(event);
        }
      },
      signal: control.signal,
      onPassEnd: (save) => control.hold(save, gone),
      onInputs: (hashes, maxSteps) => this.#withoutBase(hashes, maxSteps),
      onIdentity: (identity, maxSteps) => this.#identified(identity, maxSteps),
    });
  }

  /** The inputs of a start whose base is not read yet. */
  async #withoutBase(hashes: InputHashes, maxSteps: number): Promise<void> {
    const record = this.#journal?.record;
    if (!record || record.identity.base === UNREAD) {
      await this.#identified({ ...hashes, base: UNREAD }, maxSteps);
      return;
    }
    // Nothing is remembered of files whose base may turn out to be another.
    checkSameFiles(record, { ...hashes, base: record.identity.base });
  }

  async #identified(identity: RunIdentity, maxSteps: number): Promise<void> {
    const { id, name, inputs, records, files, database } = this.#parts;
    const { precision } = this.#settings;
    const moment = this.#moment;
    if (this.#journal) {
      checkSameFiles(this.#journal.record, identity);
    }
    const { source } = runInputs(inputs);
    const sourceLineage = source && (await readCardLineage(source));
    const isNew = !this.#journal;
    const journal = (this.#journal ??= new RunJournal(
      records,
      newRecord({ id, name, inputs, identity, maxSteps, precision, moment, sourceLineage }),
    ));
    await journal.write({ identity, handles: handlesOf(inputs) });
    const { corrected = [] } = inputs.train;
    if (isNew && corrected.length > 0) {
      await new TrayRecords(database).putCorrected(id, corrected);
    }
    // Only now, since copies without a record would never be found again.
    await files.keep(id, inputs);
    files.remember(id, inputs);
  }

  #hear(event: RunEvent): void {
    this.#journal?.hear(event);
    if (event.type === 'checkpoint') {
      this.#parts.control.checkpointKept();
    }
    this.#parts.onEvent(event);
  }

  async #end({ status: ended, step, maxSteps, best }: FinetuneResult): Promise<RunOutcome & { id: string }> {
    const { id, store } = this.#parts;
    const status = ended === 'stopped' ? 'stopped' : 'finished';
    await this.#journal?.write({
      step,
      maxSteps,
      status: status === 'finished' ? 'finished' : 'unfinished',
      stopped: status === 'stopped',
      resultHash: undefined,
      best,
      ...(status === 'finished' && (await finishedRecord(store, this.#journal?.record.log))),
    });
    return { id, status, step, maxSteps, best };
  }
}

/** What a run's record takes from its result. */
async function finishedRecord(
  store: BrowserRunStore,
  seen: StoredRun['log'] = [],
): Promise<Partial<StoredRun>> {
  const result = await store.openResult();
  const resultHash = await adapterHash(result);
  const file = await result.open('trainer_state.json');
  if (!file) {
    return { resultHash };
  }
  const { log_history: log } = parseTrainerState(await readJson(file), file.name);
  return { resultHash, log: withTimes(log, seen) };
}
