import type { Answer, EngineApi } from '../../engine/protocol/protocol.ts';
import { withRunLock } from '../../platform/run-lock.ts';
import type { Finding } from '../../run/diagnosis.ts';
import { TestDrafts } from '../comparison/test-drafts.ts';
import { Tests } from '../comparison/tests.ts';
import { Lineage } from '../runs/lineage.ts';
import { Choices } from '../setup/choices.ts';
import { KeptChoices } from '../setup/kept-choices.ts';
import { RowsLook } from '../setup/rows-look.ts';
import { SpeedMeasuring } from '../setup/speed-measuring.ts';
import { Chats } from '../training/chat/chats.ts';
import { EndNotice } from '../training/end-notice.ts';
import { Training } from '../training/training.ts';
import { AdapterUse } from '../use/adapter-use.ts';
import { type AppState, initialState, isActive } from './app-state.ts';
import { Corrections } from './corrections.ts';
import { EngineWatch } from './engine-watch.ts';
import { StorageUse } from './storage.ts';
import { Store } from './store.ts';

/** What the views are given: the state, and everything that can be done about it. */
export class PageSession {
  readonly store = new Store<AppState>(initialState);
  readonly choices: Choices;
  readonly kept: KeptChoices;
  readonly rows: RowsLook;
  readonly speed: SpeedMeasuring;
  readonly watch: EngineWatch;
  readonly training: Training;
  readonly chats: Chats;
  readonly endNotice: EndNotice;
  readonly tests: Tests;
  readonly testDrafts: TestDrafts;
  readonly corrections: Corrections;
  readonly lineage: Lineage;
  readonly use: AdapterUse;
  readonly storage: StorageUse;
  /** Resolves once it is known whether an unfinished run resumes. */
  readonly recovered: Promise<void>;
  readonly #engine: EngineApi;
  #isRecovered!: () => void;
  /** It is being looked at what other tabs have done. */
  #isBack = false;
  #takeUpdate: (() => void) | undefined;
  #runs = initialState.runs;

  constructor(engine: EngineApi) {
    this.#engine = engine;
    this.recovered = new Promise((resolve) => (this.#isRecovered = resolve));
    this.choices = new Choices(engine, this.store);
    this.kept = new KeptChoices(engine, this.store, this.choices);
    this.rows = new RowsLook(engine, this.store, this.choices);
    this.watch = new EngineWatch(engine, this.store);
    this.storage = new StorageUse(engine, this.store);
    this.training = new Training(engine, this.store, this.watch, this.storage);
    this.chats = new Chats(engine, this.store, this.watch);
    this.endNotice = new EndNotice(this.store);
    this.tests = new Tests(engine, this.store, this.watch);
    const { tests, chats } = this;
    this.speed = new SpeedMeasuring(engine, this.store, {
      inputs: () => this.choices.inputs(),
      busy: () => tests.store.state.running !== undefined || chats.store.state.live !== undefined,
    });
    for (const { store } of [tests, chats]) {
      store.subscribe(() => this.speed.follow());
    }
    this.testDrafts = new TestDrafts(engine, this.tests.store);
    this.corrections = new Corrections(engine, this.store, {
      choices: this.choices,
      start: () => this.start(),
      repeat: (test, run) => this.tests.repeat(test, run),
    });
    this.lineage = new Lineage(engine, this.store, this.choices);
    this.store.subscribe(() => this.#forgetDeleted());
    this.use = new AdapterUse(engine, this.store, this.watch);
  }

  /** What is shown of a run goes with it, however it was deleted. */
  #forgetDeleted(): void {
    const { runs } = this.store.state;
    const before = this.#runs;
    this.#runs = runs;
    for (const { id } of runs === before ? [] : before) {
      if (!runs.some((run) => run.id === id)) {
        for (const part of [this.training, this.chats, this.corrections]) {
          part.forget(id);
        }
      }
    }
  }

  /** Finds the device, the defaults, and what an earlier visit left unfinished. */
  async begin(): Promise<void> {
    document.addEventListener('visibilitychange', () => void this.comeBack());
    addEventListener('focus', () => void this.comeBack());
    // A run that resumes is waited for to its end.
    const unsubscribe = this.store.subscribe(() => this.store.state.run && this.#isRecovered());
    try {
      await this.choices.loadDefaults();
      // Do not wait for a database that does not respond.
      const [hasDevice, hasStorage] = await Promise.all([
        this.#findDevice(),
        this.storage.check(),
        this.kept.begin(),
      ]);
      if (hasStorage) {
        if (hasDevice) {
          await this.training.recover();
        }
        if (!isActive(this.store.state.run)) {
          await this.tests.recover();
        }
      }
      this.#isRecovered();
      await this.kept.recall();
    } catch (error) {
      this.store.update({ crash: String(error) });
    } finally {
      unsubscribe();
      this.#isRecovered();
    }
  }

  /** The user is back in this tab: meanwhile another may have trained, tested, corrected or deleted. */
  async comeBack(): Promise<void> {
    if (document.visibilityState !== 'visible' || this.#isBack || !this.store.state.storage?.ok) {
      return;
    }
    this.#isBack = true;
    try {
      if (!isActive(this.store.state.run)) {
        await this.training.look();
      }
      await (this.store.state.view === 'runs' ? this.lineage.refresh() : this.training.refresh());
      await Promise.all([this.tests.refresh(), this.corrections.refresh(), this.chats.refresh()]);
    } finally {
      this.#isBack = false;
    }
  }

  /** Resolves to whether there is one to train on. */
  async #findDevice(): Promise<boolean> {
    const device = await this.#engine.device();
    this.store.update({ device });
    // What was chosen meanwhile was planned for any device.
    if (this.store.state.plan || this.store.state.planning) {
      this.choices.replan();
    }
    return device.ok;
  }

  /** What this machine has and lacks. */
  diagnose(): Promise<Answer<Finding[]>> {
    return this.#engine.diagnose();
  }

  /** After the browser was told to keep something: looks again, and finds what it had kept. */
  async lookAgain(): Promise<void> {
    if (!(await this.storage.check())) {
      return;
    }
    if (this.store.state.device?.ok) {
      await this.training.recover();
    }
    await Promise.all([this.tests.refresh(), this.lineage.refresh(), this.storage.refresh()]);
  }

  /** Runs the bundled demo with one click: chooses its files and, where they are valid, starts the run. */
  async runDemo(): Promise<void> {
    await this.choices.chooseDemo();
    await this.start();
  }

  /** Trains with the chosen files, once they are valid. */
  async start(): Promise<void> {
    const inputs = this.choices.inputs();
    if (!inputs) {
      return;
    }
    this.speed.giveWay();
    await this.training.start(inputs, () => this.kept.settle());
    const { run } = this.store.state;
    // It failed before the browser had anything of it.
    if (run?.status === 'failed' && run.id === undefined) {
      this.kept.keep();
    }
  }

  async updateReady(take: () => void): Promise<void> {
    this.#takeUpdate = take;
    await this.training.look();
    this.store.update({ updateReady: true });
  }

  /** Takes the newer version, unless some tab trains: the service worker serves them all. */
  async takeUpdate(): Promise<void> {
    const take = () => Promise.resolve(this.#takeUpdate?.());
    // Without locks no tab trains.
    const taken = await withRunLock(take).catch(take);
    if (!taken) {
      await this.training.look();
    }
  }
}
