import type {
  Answer,
  ChosenInputs,
  EngineApi,
  GivenInputs,
  RunOutcome,
  RunRecord,
} from '../../engine/protocol/protocol.ts';
import type { Following } from '../../engine/watch.ts';
import { mayRead } from '../../platform/permission.ts';
import type { RunEvent } from '../../run/events.ts';
import { type AppState, isActive, type RunState, type Unfinished } from '../shared/app-state.ts';
import { askToRead } from '../shared/browser-questions.ts';
import { deviceSettings } from '../shared/device-inputs.ts';
import type { EngineWatch } from '../shared/engine-watch.ts';
import { fromStorage } from '../shared/from-storage.ts';
import { afterEvent, newRun, runFromRecord, withNote } from '../shared/run-events.ts';
import { askToPersist, type StorageUse } from '../shared/storage.ts';
import type { Store } from '../shared/store.ts';
import { runName } from '../shared/version-names.ts';
import { chosenAgain, handlesBehind, toChoose, withShipped } from './missing-inputs.ts';

/** A run that resumed on its own this often without reaching a checkpoint waits for the user. */
const MAX_RESTARTS = 3;

type Outcome = Answer<RunOutcome & { id: string }>;

/** Stage three: a run from its start, or its last checkpoint, to its result. */
export class Training {
  readonly #engine: EngineApi;
  readonly #store: Store<AppState>;
  readonly #watch: EngineWatch;
  readonly #storage: Pick<StorageUse, 'check'>;
  #waiting = false;

  constructor(
    engine: EngineApi,
    store: Store<AppState>,
    watch: EngineWatch,
    storage: Pick<StorageUse, 'check'>,
  ) {
    this.#engine = engine;
    this.#store = store;
    this.#watch = watch;
    this.#storage = storage;
  }

  /**
   * Resolves when it has ended; `begun` is called once the browser keeps the run. Nothing begins where its checkpoints
   * could not be kept.
   */
  async start(inputs: ChosenInputs, begun: () => void): Promise<void> {
    if ((await this.look()) || !(await this.#storage.check())) {
      return;
    }
    const name = runName(inputs, this.#store.state.runs);
    this.#show(newRun(name, inputs.source !== undefined, inputs.recipe));
    await this.#askForStorage();
    await this.#follow((onEvent) =>
      this.#engine.start({ ...inputs, name }, deviceSettings(this.#store.state.deviceInputs), (event) => {
        if (event.type === 'facts') {
          begun();
        }
        onEvent(event);
      }),
    );
  }

  /** At the page's start: resumes an unfinished run where nothing prevents it, else says what does. */
  async recover(): Promise<void> {
    if (await this.look()) {
      return;
    }
    const unfinished = await this.#findUnfinished();
    if (!unfinished) {
      return;
    }
    const { record, choose, restartsExhausted } = unfinished;
    const free = choose.length === 0 && (await mayRead(handlesBehind(record)));
    if (free && !record.stopped && !record.paused && !restartsExhausted) {
      return this.#resume(record, {}, true);
    }
    this.#store.update({ unfinished });
  }

  /** Looks whether another tab trains, and says so until its run has ended. Resolves to whether one does. */
  async look(): Promise<boolean> {
    const elsewhere = await fromStorage(this.#store, () => this.#engine.elsewhere(), undefined);
    this.#store.update({ elsewhere });
    if (elsewhere && !this.#waiting) {
      void this.#untilEnded();
    }
    return elsewhere !== undefined;
  }

  /** Waits for the other tab's run; if it is left unfinished, this tab can take it over, but not automatically. */
  async #untilEnded(): Promise<void> {
    this.#waiting = true;
    await this.#engine.elsewhereEnded();
    this.#waiting = false;
    if (await this.look()) {
      return;
    }
    const unfinished = await this.#findUnfinished();
    if (unfinished) {
      this.#store.update({ unfinished });
    }
  }

  async #findUnfinished(): Promise<Unfinished | undefined> {
    const runs = await this.#refreshRuns();
    const record = runs.find((run) => run.status === 'unfinished');
    return record && waiting(record);
  }

  /** Resumes with the stored files, or where some are missing with the chosen ones; reading may need this click. */
  async resume(record: RunRecord): Promise<void> {
    if (await this.look()) {
      return;
    }
    const readable = await mayRead(handlesBehind(record), askToRead(this.#store, 'to continue the run'));
    const choose = toChoose(record, !readable);
    const given = chosenAgain(choose, this.#store.state.slots);
    if (given) {
      return this.#resume(record, given, false);
    }
    this.#store.update({ unfinished: { record, choose, restartsExhausted: false }, view: 'setup' });
  }

  async #resume(record: RunRecord, given: GivenInputs, automatic: boolean): Promise<void> {
    this.#store.update({ unfinished: undefined });
    const { view } = this.#store.state;
    this.#show(runFromRecord(record, 'starting'));
    // What resumes by itself leaves a reloaded page where its address says.
    if (automatic && view !== 'setup') {
      this.#store.update({ view });
    }
    // Where the server has no demo, the engine says what is missing.
    const files = await withShipped(record, given).catch(() => given);
    await this.#follow((onEvent) =>
      this.#engine.resume(
        record.id,
        files,
        deviceSettings(this.#store.state.deviceInputs),
        onEvent,
        automatic,
      ),
    );
  }

  async pause(): Promise<void> {
    this.#status('pausing');
    void this.#watch.watch();
    await this.#engine.pause();
    if (this.#store.state.run?.status === 'pausing') {
      this.#status('paused');
    }
  }

  async unpause(): Promise<void> {
    await this.#engine.unpause();
    this.#status('running');
  }

  async stop(): Promise<void> {
    this.#status('stopping');
    void this.#watch.watch();
    await this.#engine.stop();
  }

  async checkpointNow(): Promise<void> {
    this.#asked('saving');
    await this.#engine.checkpointNow();
    this.#asked('done');
  }

  /** Looks which runs there are. */
  async refresh(): Promise<void> {
    await this.#refreshRuns();
  }

  /** Shows a run that ended earlier. */
  open(record: RunRecord): void {
    this.#show(runFromRecord(record, record.status === 'finished' ? 'finished' : 'stopped'));
  }

  async delete(id: string): Promise<void> {
    const answer = await this.#engine.deleteRun(id);
    if (!answer.ok) {
      this.#store.update({ refusal: answer.sentence });
      return;
    }
    await this.#refreshRuns();
  }

  /** Shows a deleted run no more. Why one failed stays, though nothing is left of it. */
  forget(id: string): void {
    const { run, unfinished, view } = this.#store.state;
    if (run?.id === id && !isActive(run) && run.status !== 'failed') {
      this.#store.update({ run: undefined, view: view === 'train' ? 'setup' : view });
    }
    if (unfinished?.record.id === id) {
      this.#store.update({ unfinished: undefined });
    }
  }

  exportRun(id: string, checkpoints: boolean, following: Following): Promise<Answer<Blob>> {
    return this.#engine.exportRun(id, checkpoints, following.onProgress, following.signal);
  }

  exportCheckpoint(id: string, step: number, following: Following): Promise<Answer<Blob>> {
    return this.#engine.exportCheckpoint(id, step, following.onProgress, following.signal);
  }

  exportTaken(id: string, step: number, following: Following): Promise<Answer<Blob>> {
    return this.#engine.exportTaken(id, step, following.onProgress, following.signal);
  }

  exportRunInto(
    id: string,
    checkpoints: boolean,
    folder: FileSystemDirectoryHandle,
    { onProgress, signal }: Following,
    onWritten: (path: string, total: number) => void,
  ): Promise<Answer<undefined>> {
    return this.#engine.exportRunInto(id, checkpoints, folder, onProgress, signal, onWritten);
  }

  #show(run: RunState): void {
    this.#store.update({ run, view: 'train', refusal: undefined });
  }

  #asked(asked: RunState['asked']): void {
    const { run } = this.#store.state;
    if (run) {
      this.#store.update({ run: { ...run, asked } });
    }
  }

  #status(status: RunState['status']): void {
    const { run } = this.#store.state;
    if (run) {
      this.#store.update({ run: { ...run, status } });
    }
  }

  async #follow(begin: (onEvent: (event: RunEvent) => void) => Promise<Outcome>): Promise<void> {
    const onEvent = (event: RunEvent) => {
      const { run } = this.#store.state;
      if (run) {
        this.#store.update({ run: afterEvent(run, event) });
      }
    };
    const outcome = await begin(onEvent).catch((error: unknown): Outcome => {
      this.#store.update({ crash: String(error) });
      return {
        ok: false,
        sentence: `The engine stopped: ${String(error)}; resume from the last checkpoint.`,
      };
    });
    await this.#end(outcome);
  }

  async #end(outcome: Outcome): Promise<void> {
    const runs = await this.#refreshRuns();
    const { run } = this.#store.state;
    if (!run) {
      return;
    }
    if (!outcome.ok) {
      // A run that failed before its first checkpoint has nothing to resume from.
      const left = runs.find((record) => record.status === 'unfinished' && record.name === run.name);
      const failed = withNote(run, 'problem', outcome.sentence);
      const id = run.id ?? left?.id;
      this.#store.update({
        run: {
          ...failed,
          id,
          checkpoints: left?.checkpoints ?? run.checkpoints,
          status: 'failed',
          sentence: outcome.sentence,
          phase: undefined,
        },
        unfinished: left && waiting(left),
      });
      return;
    }
    const { id, status, best } = outcome.value;
    const record = runs.find((kept) => kept.id === id);
    const checkpoints = record?.checkpoints ?? run.checkpoints;
    this.#store.update({ run: { ...run, id, status, checkpoints, best, phase: undefined } });
  }

  async #refreshRuns(): Promise<readonly RunRecord[]> {
    const runs = await fromStorage<readonly RunRecord[]>(
      this.#store,
      () => this.#engine.runs(),
      this.#store.state.runs,
    );
    this.#store.update({ runs });
    return runs;
  }

  async #askForStorage(): Promise<void> {
    this.#store.update({ persisted: await askToPersist(this.#store) });
  }
}

const waiting = (record: RunRecord): Unfinished => ({
  record,
  choose: toChoose(record),
  restartsExhausted: record.restarts >= MAX_RESTARTS,
});
