import {
  type Correction,
  correctionOf,
  withCorrection,
  withoutCorrection,
} from '../../corrections/correction.ts';
import type { TestRecord } from '../../engine/protocol/comparison.ts';
import type {
  AskedQuestion,
  PreparedCorrections,
  TrayCorrection,
} from '../../engine/protocol/corrections.ts';
import type {
  Answer,
  ChosenFile,
  ChosenFolder,
  EngineApi,
  RunRecord,
} from '../../engine/protocol/protocol.ts';
import { counted } from '../../formats/words.ts';
import { mayRead } from '../../platform/permission.ts';
import type { AppState } from './app-state.ts';
import { Asking } from './asking.ts';
import { askToRead } from './browser-questions.ts';
import { isDemoBase } from './demo.ts';
import { demoBase } from './demo-tests.ts';
import { neededHandles } from './needed-handles.ts';
import { Store } from './store.ts';

/** Shares of earlier rows among all rows that can be chosen. */
export const SHARES = [0, 0.25, 0.5, 0.75, 0.9] as const;

export interface CorrectionsState {
  /** The run whose result is corrected. */
  run?: string | undefined;
  tray: readonly TrayCorrection[];
  /** What the tray held before each change, and what that change was. */
  undo: readonly { tray: readonly Correction[]; what: string }[];
  share: number;
  given: Readonly<Record<string, ChosenFile>>;
  /** The next version's rows and recipe; undefined while they are made. */
  prepared?: Answer<PreparedCorrections> | undefined;
  /** What was done last, to be heard. */
  said: string;
  /** Why something was refused. */
  problem?: string | undefined;
  /** The base has to be chosen, or the files are being read, before the next version starts. */
  starting: boolean;
}

/** What a next version is started by. */
export interface Starter {
  /** Stages one and two. */
  choices: {
    recipe: { take(recipe: PreparedCorrections['recipe'], file: AppState['recipeFile']): void };
    setFresh(fresh: boolean): void;
    choose(slot: 'base' | 'source', chosen: ChosenFolder | undefined): Promise<void>;
    choose(slot: 'train' | 'validation', chosen: ChosenFile | undefined): Promise<void>;
    inputs(): unknown;
  };
  start(): Promise<void>;
  /** Asks a test's questions again, of the new version too. */
  repeat(test: TestRecord, run: RunRecord): Promise<void>;
}

const PREPARE_MS = 300;
const MAX_UNDO = 100;

/** Corrected answers: the tray of one run, the rows that it makes, and the next version from them. */
export class Corrections {
  readonly store = new Store<CorrectionsState>({
    tray: [],
    undo: [],
    share: 0.75,
    given: {},
    said: '',
    starting: false,
  });
  readonly #engine: EngineApi;
  readonly #app: Store<AppState>;
  readonly #starter: Starter;
  readonly #asking = new Asking<'rows'>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #written: Promise<unknown> = Promise.resolve();

  constructor(engine: EngineApi, app: Store<AppState>, starter: Starter) {
    this.#engine = engine;
    this.#app = app;
    this.#starter = starter;
  }

  /** Shows the tray of a run; what can be undone of another's is forgotten. */
  async open(run: string | undefined): Promise<void> {
    if (run !== this.store.state.run) {
      this.store.update({
        ...{ run, tray: [], undo: [], given: {}, prepared: undefined, said: '', problem: undefined },
      });
    }
    await this.#read();
  }

  /** Another tab may have changed the tray. */
  async refresh(): Promise<void> {
    await this.#written;
    await this.#read();
  }

  /** Shows nothing of a deleted run. */
  forget(id: string): void {
    if (this.store.state.run === id) {
      void this.open(undefined);
    }
  }

  /** The correction of a question in this tray. */
  of(asked: AskedQuestion): TrayCorrection | undefined {
    return correctionOf(this.store.state.tray, asked);
  }

  /** Keeps a correction, in place of an earlier one of its question. */
  keep(correction: Omit<Correction, 'changed'>): Promise<void> {
    const whole: Correction = { ...correction, changed: Date.now() };
    return this.#change((tray) => withCorrection(tray, whole), 'the last correction');
  }

  remove(asked: AskedQuestion): Promise<void> {
    return this.#change((tray) => withoutCorrection(tray, asked), 'the removal');
  }

  empty(): Promise<void> {
    return this.#change(() => [], 'emptying the tray');
  }

  async undo(): Promise<void> {
    const { undo } = this.store.state;
    const last = undo.at(-1);
    if (last) {
      await this.#put(last.tray, undo.slice(0, -1));
    }
  }

  setShare(share: number): void {
    this.store.update({ share });
    this.#prepareSoon();
  }

  /** Rows of an earlier run that the browser has no way to. */
  give(run: string, file: ChosenFile): void {
    this.store.update({ given: { ...this.store.state.given, [run]: file } });
    this.#prepareSoon();
  }

  /** Starts the next version, and when it has finished repeats the test; where that cannot be, shows what is missing. */
  async train(test: TestRecord | undefined): Promise<void> {
    if (!(await this.#choose())) {
      return;
    }
    if (!this.#starter.choices.inputs()) {
      this.#app.update({ view: 'setup' });
      return;
    }
    await this.#starter.start();
    const { run, runs } = this.#app.state;
    const record = runs.find(({ id }) => id === run?.id);
    if (test && record && run?.status === 'finished') {
      await this.#starter.repeat(test, record);
    }
  }

  /** Chooses everything for the next version, to be looked at before it is started. */
  async review(): Promise<void> {
    if (await this.#choose()) {
      this.#app.update({ view: 'setup' });
    }
  }

  /** Resolves to whether stages one and two have what there is. */
  async #choose(): Promise<boolean> {
    const { run, prepared } = this.store.state;
    const record = this.#app.state.runs.find(({ id }) => id === run);
    if (!record || !prepared?.ok) {
      return false;
    }
    this.store.update({ starting: true, problem: undefined });
    try {
      const needed = await neededHandles(this.#engine, [record], [[record.id, 'base']]);
      await mayRead(needed, askToRead(this.#app, 'to train on it again'));
      const answer = await this.#engine.continueFrom(record.id, record.taken?.step);
      if (!answer.ok) {
        this.store.update({ problem: answer.sentence });
        return false;
      }
      const { source } = answer.value;
      const base = isDemoBase(record.inputs.base) ? await demoBase() : answer.value.base;
      const { train, validation, recipe, changes } = prepared.value;
      const { choices } = this.#starter;
      choices.setFresh(false);
      choices.recipe.take(recipe, { name: `as in ${record.name}, for few rows`, warnings: changes });
      // The base first: without it nothing else could be read.
      if (base) {
        await choices.choose('base', base);
      }
      await choices.choose('source', source);
      await choices.choose('train', train);
      await choices.choose('validation', validation);
      return true;
    } finally {
      this.store.update({ starting: false });
    }
  }

  async #read(): Promise<void> {
    const { run } = this.store.state;
    if (run === undefined) {
      return;
    }
    const answer = await this.#engine.tray(run);
    if (this.store.state.run !== run) {
      return;
    }
    this.store.update(answer.ok ? { tray: answer.value } : { problem: answer.sentence });
    this.#prepareSoon();
  }

  async #change(change: (tray: readonly Correction[]) => Correction[], what: string): Promise<void> {
    const { tray, undo } = this.store.state;
    await this.#put(change(tray), [...undo, { tray, what }].slice(-MAX_UNDO));
  }

  /** Shown at once; the browser keeps it one change after the other. */
  async #put(tray: readonly Correction[], undo: CorrectionsState['undo']): Promise<void> {
    const { run } = this.store.state;
    if (run === undefined) {
      return;
    }
    const before = this.store.state;
    this.store.update({
      tray,
      undo,
      said: tray.length === 0 ? 'The tray is empty.' : `${counted(tray.length, 'correction')} in the tray.`,
      problem: undefined,
      prepared: undefined,
    });
    const kept = tray.map(asCorrection);
    const written = this.#written.then(() => this.#engine.putTray(run, kept, before.tray.map(asCorrection)));
    this.#written = written.catch(() => undefined);
    const answer = await written;
    if (!answer.ok && this.store.state.run === run) {
      this.store.update({ tray: before.tray, undo: before.undo, said: '', problem: answer.sentence });
      return;
    }
    await this.#read();
  }

  /** Makes the rows once changes have paused. */
  #prepareSoon(): void {
    clearTimeout(this.#timer);
    this.#asking.drop('rows');
    const { run, tray, share, given } = this.store.state;
    const corrections = untrained(tray);
    this.store.update({ prepared: undefined });
    if (run === undefined || corrections.length === 0) {
      return;
    }
    this.#timer = setTimeout(async () => {
      const files = await this.#engine.correctionFiles(run);
      const prepared = files.ok
        ? await this.#asking.ask('rows', (signal) =>
            this.#engine.prepareCorrections(run, corrections, files.value, { share, given }, signal),
          )
        : files;
      if (prepared && this.store.state.run === run && untrained(this.store.state.tray).length > 0) {
        this.store.update({ prepared });
      }
    }, PREPARE_MS);
  }
}

/** The corrections that no version was trained on yet. */
export const untrained = (tray: readonly TrayCorrection[]): Correction[] =>
  tray.filter(({ trainedIn }) => !trainedIn).map(asCorrection);

/** Without what only the browser's runs make of it. */
function asCorrection({ trainedIn, ...correction }: TrayCorrection): Correction {
  void trainedIn;
  return correction;
}
