import { get, set, type UseStore } from 'idb-keyval';
import { UserError } from '../../formats/user-error.ts';
import { runLockHeld, trainsElsewhere, withRunLock } from '../../platform/run-lock.ts';
import type { DeviceSettings } from '../../run/device-settings.ts';
import type { RunEvent } from '../../run/events.ts';
import type { BrowserRunStore } from '../../storage/browser-run-store.ts';
import type { RunRecords } from '../../storage/run-records.ts';
import type { RunFiles } from '../files/inputs.ts';
import { workNoun, workState } from '../protocol/device-work.ts';
import type { ChosenInputs, Elsewhere, GivenInputs, RunOutcome, RunRecord } from '../protocol/protocol.ts';
import { SHOWN } from '../protocol/shown-run.ts';
import { KeptRuns } from './kept-runs.ts';
import { RunControl } from './run-control.ts';
import { RunTraining, type TrainingParts } from './train-run.ts';

type OnEvent = (event: RunEvent) => void;
type OnNote = (event: { type: 'note'; text: string }) => void;

/** Under this key the tab that uses the device stores what it is doing, for the other tabs to show. */
const ACTIVE = 'active';

/** The parts of `value` under these keys. */
const pick = <T extends object, K extends keyof T>(value: T, keys: readonly K[]): Pick<T, K> =>
  Object.fromEntries(keys.map((key) => [key, value[key]])) as Pick<T, K>;

/** What uses the device: which run or test, and how to control it. */
interface Active extends Elsewhere {
  control: RunControl;
  onNote: OnNote;
}

/** The runs of this browser: at most one of them trains. */
export class Runs extends KeptRuns {
  readonly #files: RunFiles;
  #active: Active | undefined;
  /** Notes that came while nothing used the device. */
  #untold: string[] = [];

  constructor(store: UseStore, records: RunRecords, files: RunFiles) {
    super(store, records);
    this.#files = files;
  }

  /** Throws UserError where a run needs the device. */
  checkIdle(): void {
    if (this.#active) {
      throw new UserError(
        `${this.#active.name} is ${workState(this.#active.doing)} and needs the GPU; stop it, or wait until it has finished.`,
      );
    }
  }

  /** Throws UserError where a run or a test needs the device, in this tab or another. */
  async checkIdleEverywhere(): Promise<void> {
    this.checkIdle();
    const other = await this.elsewhere();
    if (other) {
      throw new UserError(
        `Another tab of this browser is ${other.doing} ${other.name}; wait for it, or stop it there first.`,
      );
    }
  }

  get active(): Active | undefined {
    return this.#active;
  }

  /** Notes `text` in the run or test that uses the device, or in the next one. */
  note(text: string): void {
    if (this.#active) {
      this.#active.onNote({ type: 'note', text });
    } else {
      this.#untold.push(text);
    }
  }

  /** Pauses or unpauses what uses the device; a run stays paused when the page is reloaded. */
  async setPaused(paused: boolean): Promise<void> {
    if (!this.#active) {
      return;
    }
    const { id, doing, control } = this.#active;
    if (paused) {
      control.pause();
    } else {
      control.unpause();
    }
    if (doing === 'training') {
      // Where there is no space, the run only does not remember it.
      await this.records.describe(id, { paused }).catch(() => undefined);
    }
  }

  /** The run that another tab of this browser trains, or the test that it runs. */
  async elsewhere(): Promise<Elsewhere | undefined> {
    if (this.#active || !(await trainsElsewhere())) {
      return undefined;
    }
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
    return this.alone({ id, name, doing: 'training' }, onEvent, (control) =>
      this.#train({ id, name, inputs, record: undefined, settings, control, onEvent }),
    );
  }

  /**
   * Resumes an unfinished run. Automatic resumes are counted, so that a run that crashes its tab does not do so for
   * ever. Throws UserError, also where `files` are not those of its start.
   */
  async resume(
    id: string,
    files: GivenInputs | undefined,
    settings: DeviceSettings,
    onEvent: OnEvent,
    automatic = false,
  ): Promise<RunOutcome & { id: string }> {
    const { name } = await this.record(id);
    return this.alone({ id, name, doing: 'training' }, onEvent, async (control) => {
      const found = await this.record(id);
      if (found.paused) {
        await this.records.describe(id, { paused: false });
      }
      const record = { ...found, restarts: automatic ? (found.restarts ?? 0) + 1 : 0 };
      await this.records.put(record);
      const inputs = await this.#files.of(record, files);
      return this.#train({ id, name, inputs, record, settings, control, onEvent });
    });
  }

  async list(): Promise<RunRecord[]> {
    const records = await this.records.list();
    return Promise.all(
      records.map(async (record) => {
        const manifests = await this.storeOf(record).manifests();
        const { restarts = 0, status, log } = record;
        return {
          ...pick(record, SHOWN),
          restarts,
          log,
          lacks: status === 'unfinished' ? await this.#files.lacks(record) : undefined,
          checkpoints: manifests.map(({ step, bytes, loss }) => ({ step, bytes, loss })),
        };
      }),
    );
  }

  /** What uses the device, in this tab or another. Throws UserError. */
  async activeAnywhere(): Promise<Elsewhere | undefined> {
    return this.#active ?? ((await runLockHeld()) ? get<Elsewhere>(ACTIVE, this.store) : undefined);
  }

  /** Throws UserError for a run or a test that uses the device, in this tab or another. `then`: what it is stopped for. */
  async checkAtRest(id: string, then: string): Promise<void> {
    const active = await this.activeAnywhere();
    if (active?.id === id) {
      const what = active.doing === 'testing' ? 'test is running' : `run is ${workState(active.doing)}`;
      throw new UserError(`${active.name}: this ${what}; stop that, then ${then} it.`);
    }
  }

  /** Throws UserError for a run that is training, in this tab or another. */
  async delete(id: string): Promise<undefined> {
    await this.checkAtRest(id, 'delete');
    await this.#files.forget(id);
    await this.records.delete(id);
  }

  /** Does `work` while nothing else trains or tests, in this tab or another. Throws UserError where something does. */
  async alone<T>(who: Elsewhere, onNote: OnNote, work: (control: RunControl) => Promise<T>): Promise<T> {
    if (this.#active) {
      throw new UserError(
        `This tab is ${this.#active.doing} ${this.#active.name} already; wait for it, or stop it first.`,
      );
    }
    const control = new RunControl();
    this.#active = { ...who, control, onNote };
    this.#untold.splice(0).forEach((text) => this.note(text));
    try {
      const done = await withRunLock(async () => {
        await set(ACTIVE, who, this.store);
        return work(control);
      });
      if (done) {
        return done.value;
      }
      const other = await get<Elsewhere>(ACTIVE, this.store);
      throw new UserError(
        `Another tab of this browser is ${other?.doing ?? 'training'} ${other?.name ?? 'a run'}; go to that tab, or stop the ${workNoun(other?.doing)} there first.`,
      );
    } finally {
      this.#active = undefined;
    }
  }

  async #train(
    parts: Omit<TrainingParts, 'store' | 'records' | 'files' | 'database'>,
  ): Promise<RunOutcome & { id: string }> {
    const { id, record } = parts;
    const store = this.storeOf(parts);
    const { records } = this;
    const given = { ...parts, store, records, files: this.#files, database: this.store };
    try {
      return await new RunTraining(given).train();
    } catch (error) {
      // The chosen files may be what cannot be read any more.
      this.#files.unchoose(id);
      // A run that has nothing to resume from is not worth listing.
      if (!record) {
        await this.#forgetEmpty(id, store).catch(() => undefined);
      }
      throw error;
    }
  }

  async #forgetEmpty(id: string, store: BrowserRunStore): Promise<void> {
    if ((await store.checkpoints()).length > 0) {
      return;
    }
    await this.#files.forget(id);
    await this.records.delete(id);
  }
}
