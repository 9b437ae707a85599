import { get, set, type UseStore } from 'idb-keyval';
import { readJson } from '../../formats/json.ts';
import { parseTrainerState } from '../../formats/trainer-state.ts';
import { UserError } from '../../formats/user-error.ts';
import { requestGpu } from '../../platform/browser-gpu.ts';
import { runLockHeld, trainsElsewhere, withRunLock } from '../../platform/run-lock.ts';
import type { DeviceSettings } from '../../run/device-settings.ts';
import type { RunEvent } from '../../run/events.ts';
import type { FinetuneResult } from '../../run/options.ts';
import { finetune } from '../../run/finetune.ts';
import { adapterHash, type RunIdentity } from '../../run/checkpoint/identity.ts';
import type { BrowserRunStore } from '../../storage/browser-run-store.ts';
import { UNREAD, type RunRecords, type StoredRun } from '../../storage/run-records.ts';
import { wallClock } from '../../text/moment.ts';
import { browserTuning } from '../../storage/tuning.ts';
import { handlesOf, runInputs } from '../files/files.ts';
import type { RunFiles } from '../files/inputs.ts';
import { KeptRuns } from './kept-runs.ts';
import type {
  ChosenInputs,
  Elsewhere,
  GivenInputs,
  NamedRun,
  RunOutcome,
  RunRecord,
} from '../protocol/protocol.ts';
import { checkSameFiles, newRecord } from './run-record.ts';
import { recovering } from './recover.ts';
import { RunControl } from './run-control.ts';
import { RunJournal } from './run-journal.ts';

type OnEvent = (event: RunEvent) => void;

/** Under this key the tab that has the device leaves what it does, for the other tabs to say. */
const ACTIVE = 'active';

/** What has the device: which run or test it is, and how to reach it. */
export interface Active extends Elsewhere {
  control: RunControl;
}

/** The runs of this browser: at most one of them trains. */
export class Runs extends KeptRuns {
  readonly #files: RunFiles;
  #active: Active | undefined;

  constructor(store: UseStore, records: RunRecords, files: RunFiles) {
    super(store, records);
    this.#files = files;
  }

  /** Throws UserError where a run needs the device. */
  checkIdle(): void {
    if (this.#active)
      throw new UserError(
        `${this.#active.name} is ${this.#active.doing} and needs the GPU; stop it, or wait until it has finished.`,
      );
  }

  get active(): Active | undefined {
    return this.#active;
  }

  /** The run that another tab of this browser trains, or the test that it runs. */
  async elsewhere(): Promise<Elsewhere | undefined> {
    if (this.#active || !(await trainsElsewhere())) return undefined;
    return get<Elsewhere>(ACTIVE, this.store);
  }

  /** Starts a new run and resolves when it ends. Throws UserError. */
  start(
    inputs: ChosenInputs,
    settings: DeviceSettings,
    onEvent: OnEvent,
  ): Promise<RunOutcome & { id: string }> {
    const id = crypto.randomUUID();
    const { source, train, base } = inputs;
    const name = inputs.name ?? `${source?.name ?? base.name} + ${train.file.name}`;
    return this.alone({ id, name, doing: 'training' }, (control) =>
      this.#train({ id, name, inputs, record: undefined, settings, control, onEvent }),
    );
  }

  /**
   * Goes on with an unfinished run; one that does so by itself is counted, so that a run that crashes its tab does not
   * do so for ever. Throws UserError, also where `files` are not those of its start.
   */
  async resume(
    id: string,
    files: GivenInputs | undefined,
    settings: DeviceSettings,
    onEvent: OnEvent,
    byItself = false,
  ): Promise<RunOutcome & { id: string }> {
    const { name } = await this.record(id);
    return this.alone({ id, name, doing: 'training' }, async (control) => {
      const found = await this.record(id);
      const record = { ...found, restarts: byItself ? (found.restarts ?? 0) + 1 : 0 };
      await this.records.put(record);
      const inputs = await this.#files.of(record, files);
      return this.#train({ id, name, inputs, record, settings, control, onEvent });
    });
  }

  async list(): Promise<RunRecord[]> {
    const records = await this.records.list();
    return Promise.all(
      records.map(async (record) => {
        const { id, name, created, status, stopped, restarts = 0, step } = record;
        const { maxSteps, recipe, inputs, handles, log, sourceRun, best } = record;
        const manifests = await this.storeOf(record).manifests();
        const lacks = status === 'unfinished' ? await this.#files.lacks(record) : undefined;
        const checkpoints = manifests.map((m) => ({ step: m.step, bytes: m.bytes, loss: m.loss }));
        return {
          id,
          name,
          created,
          status,
          stopped,
          restarts,
          step,
          maxSteps,
          recipe,
          inputs,
          handles,
          lacks,
          sourceRun,
          checkpoints,
          best,
          log,
        };
      }),
    );
  }

  /** Throws UserError for a run that is training, in this tab or another. */
  async delete(id: string): Promise<undefined> {
    const training = (await runLockHeld()) ? await get<NamedRun>(ACTIVE, this.store) : undefined;
    if (training?.id === id)
      throw new UserError(`${training.name}: this run is training; stop it, then delete it.`);
    await this.#files.forget(id);
    await this.records.delete(id);
  }

  /** Does `work` while nothing else trains or tests, in this tab or another. Throws UserError where something does. */
  async alone<T>(who: Elsewhere, work: (control: RunControl) => Promise<T>): Promise<T> {
    if (this.#active)
      throw new UserError(
        `This tab is ${this.#active.doing} ${this.#active.name} already; wait for it, or stop it first.`,
      );
    const control = new RunControl();
    this.#active = { ...who, control };
    try {
      const done = await withRunLock(async () => {
        await set(ACTIVE, who, this.store);
        return work(control);
      });
      if (done) return done.value;
      const other = await get<Elsewhere>(ACTIVE, this.store);
      throw new UserError(
        `Another tab of this browser is ${other?.doing ?? 'training'} ${other?.name ?? 'a run'}; go to that tab, or stop the ${other?.doing === 'testing' ? 'test' : 'run'} there first.`,
      );
    } finally {
      this.#active = undefined;
    }
  }

  async #train(call: {
    id: string;
    name: string;
    inputs: ChosenInputs;
    /** undefined for a new run. */
    record: StoredRun | undefined;
    settings: DeviceSettings;
    control: RunControl;
    onEvent: OnEvent;
  }): Promise<RunOutcome & { id: string }> {
    const { id, name, inputs, settings, control, onEvent } = call;
    const { signal } = control;
    const precision = call.record ? (call.record.precision ?? 'auto') : settings.precision;
    const moment = call.record ? call.record.moment : wallClock();
    const store = this.storeOf(call);
    let journal = call.record && new RunJournal(this.records, { ...call.record, stopped: false });
    const onIdentity = async (identity: RunIdentity, maxSteps: number): Promise<void> => {
      if (journal) checkSameFiles(journal.record, identity);
      else {
        journal = new RunJournal(
          this.records,
          newRecord({ id, name, inputs, identity, maxSteps, precision, moment }),
        );
      }
      await journal.write({ identity, handles: handlesOf(inputs) });
      // Only now, since copies without a record would never be found again.
      await this.#files.keep(id, inputs);
      this.#files.remember(id, inputs);
    };
    const emit: OnEvent = (event) => {
      journal?.hear(event);
      if (event.type === 'checkpoint') control.checkpointKept();
      onEvent(event);
    };
    try {
      const result = await recovering(
        ({ openGpu, gone }) =>
          finetune({
            inputs: runInputs(inputs),
            store,
            baseCache: this.#files.cache,
            resume: 'exact',
            startedBefore: journal !== undefined && journal.record.identity.base !== UNREAD,
            tuning: browserTuning(this.store),
            moment,
            ...settings,
            precision,
            openGpu,
            emit: (event) => {
              if (!gone.aborted) emit(event);
            },
            signal,
            onPassEnd: (save) => control.hold(save, gone),
            onInputs: (hashes, maxSteps) => onIdentity({ ...hashes, base: UNREAD }, maxSteps),
            onIdentity,
          }),
        {
          request: requestGpu,
          note: (text) => emit({ type: 'note', text }),
          now: () => performance.now(),
          sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
          signal,
        },
      ).catch((error: unknown): FinetuneResult => {
        if (!signal.aborted || error !== signal.reason) throw error;
        const { step = 0, maxSteps = 0 } = journal?.record ?? {};
        return { status: 'stopped', step, maxSteps };
      });
      const { step, maxSteps, best } = result;
      const status = result.status === 'stopped' ? 'stopped' : 'finished';
      await journal?.write({
        step,
        maxSteps,
        status: status === 'finished' ? 'finished' : 'unfinished',
        stopped: status === 'stopped',
        resultHash: undefined,
        best,
        ...(status === 'finished' && (await finishedRecord(store))),
      });
      return { id, status, step, maxSteps, best };
    } catch (error) {
      // It may be the files that were chosen which cannot be read any more.
      this.#files.unchoose(id);
      // A run that has nothing to go on from is not worth a place in the list.
      if (!call.record) await this.#forgetEmpty(id, store).catch(() => undefined);
      throw error;
    }
  }

  async #forgetEmpty(id: string, store: BrowserRunStore): Promise<void> {
    if ((await store.checkpoints()).length > 0) return;
    await this.#files.forget(id);
    await this.records.delete(id);
  }
}

/** What a run's record takes from its result. */
async function finishedRecord(store: BrowserRunStore): Promise<Partial<StoredRun>> {
  const result = await store.openResult();
  const resultHash = await adapterHash(result);
  const file = await result.open('trainer_state.json');
  if (!file) return { resultHash };
  return { resultHash, log: parseTrainerState(await readJson(file), file.name).log_history };
}
