import { proxy } from 'comlink';
import { mayRead } from '../../platform/permission.ts';
import type { RunEvent } from '../../run/events.ts';
import type { Answer, ChosenInputs, EngineApi, RunOutcome, RunRecord } from '../../worker/protocol.ts';
import { isActive, type AppState, type RunState, type Unfinished } from './app-state.ts';
import { afterEvent, newRun, runFromRecord, withNote } from './run-events.ts';
import type { Store } from './store.ts';

/** A run that went on by itself so often without reaching a checkpoint waits to be asked. */
const MOST_RESTARTS = 3;

type Outcome = Answer<RunOutcome & { id: string }>;

/** Stage three: a run from its start, or from where it was left, to its result. */
export class Training {
  readonly #engine: EngineApi;
  readonly #store: Store<AppState>;
  #waiting = false;

  constructor(engine: EngineApi, store: Store<AppState>) {
    this.#engine = engine;
    this.#store = store;
  }

  async start(inputs: ChosenInputs): Promise<void> {
    if (await this.look()) return;
    const { base, source, train } = inputs;
    this.#show(newRun(`${(source ?? base).name} + ${train.file.name}`, source !== undefined));
    await this.#askForStorage();
    await this.#follow((onEvent) => this.#engine.start(inputs, onEvent));
  }

  /** At the page's start: goes on with an unfinished run where nothing is in the way, else says what is. */
  async recover(): Promise<void> {
    if (await this.look()) return;
    const unfinished = await this.#findUnfinished();
    if (!unfinished) return;
    const { record, needs, fruitless } = unfinished;
    if (needs === 'nothing' && !record.stopped && !fruitless) return this.#resume(record, undefined, true);
    this.#offer(unfinished);
  }

  /** Looks whether another tab trains, and says so until its run has ended. Resolves to whether one does. */
  async look(): Promise<boolean> {
    const elsewhere = await this.#engine.elsewhere();
    this.#store.update({ elsewhere });
    if (elsewhere && !this.#waiting) void this.#untilEnded();
    return elsewhere !== undefined;
  }

  /** Waits for the other tab's run; what it left unfinished can then be taken over here, but not by itself. */
  async #untilEnded(): Promise<void> {
    this.#waiting = true;
    await this.#engine.elsewhereEnded();
    this.#waiting = false;
    if (await this.look()) return;
    const unfinished = await this.#findUnfinished();
    if (unfinished) this.#offer(unfinished);
  }

  async #findUnfinished(): Promise<Unfinished | undefined> {
    const runs = await this.#refreshRuns();
    const record = runs.find((run) => run.status === 'unfinished');
    return record && this.#unfinished(record);
  }

  async #unfinished(record: RunRecord): Promise<Unfinished> {
    const needs = await this.#needs(record, false);
    return { record, needs, fruitless: record.restarts >= MOST_RESTARTS };
  }

  #offer(unfinished: Unfinished): void {
    const { recipe, inputs } = unfinished.record;
    // What was set then is shown again, so that at most the files are left to choose.
    this.#store.update({ recipe, fresh: inputs.source === undefined, unfinished });
  }

  /** Goes on with the files chosen now, else with those kept; this is the click that reading them may need. */
  async goOn(record: RunRecord, chosen: ChosenInputs | undefined): Promise<void> {
    if (await this.look()) return;
    if (chosen) return this.#resume(record, { ...chosen, recipe: record.recipe }, false);
    if ((await this.#needs(record, true)) === 'nothing') return this.#resume(record, undefined, false);
    this.#store.update({ unfinished: { record, needs: 'files', fruitless: false }, view: 'setup' });
  }

  async #resume(record: RunRecord, files: ChosenInputs | undefined, byItself: boolean): Promise<void> {
    this.#store.update({ unfinished: undefined });
    this.#show(runFromRecord(record, 'starting'));
    await this.#follow((onEvent) => this.#engine.resume(record.id, files, onEvent, byItself));
  }

  async pause(): Promise<void> {
    this.#status('pausing');
    await this.#engine.pause();
    if (this.#store.state.run?.status === 'pausing') this.#status('paused');
  }

  async unpause(): Promise<void> {
    await this.#engine.unpause();
    this.#status('running');
  }

  async stop(): Promise<void> {
    this.#status('stopping');
    await this.#engine.stop();
  }

  checkpointNow(): Promise<void> {
    return this.#engine.checkpointNow();
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
    const { run, unfinished, view } = this.#store.state;
    if (run?.id === id && !isActive(run))
      this.#store.update({ run: undefined, view: view === 'train' ? 'setup' : view });
    if (unfinished?.record.id === id) this.#store.update({ unfinished: undefined });
    await this.#refreshRuns();
  }

  exportRun(id: string, checkpoints: boolean): Promise<Answer<Blob>> {
    return this.#engine.exportRun(id, checkpoints);
  }

  exportCheckpoint(id: string, step: number): Promise<Answer<Blob>> {
    return this.#engine.exportCheckpoint(id, step);
  }

  async #needs(record: RunRecord, ask: boolean): Promise<Unfinished['needs']> {
    const { handles, inputs, sourceRun, atHand } = record;
    if (atHand) return 'nothing';
    const kept = [handles.base, handles.source, handles.train, handles.validation].filter(
      (h) => h !== undefined,
    );
    // What another run made is in the browser itself.
    const own = sourceRun === undefined ? inputs : { ...inputs, source: undefined };
    if (kept.length < Object.values(own).filter((name) => name !== undefined).length) return 'files';
    return (await mayRead(kept, ask)) ? 'nothing' : 'permission';
  }

  exportRunInto(
    id: string,
    checkpoints: boolean,
    folder: FileSystemDirectoryHandle,
  ): Promise<Answer<undefined>> {
    return this.#engine.exportRunInto(id, checkpoints, folder);
  }

  #show(run: RunState): void {
    this.#store.update({ run, view: 'train', chat: [], refusal: undefined });
  }

  #status(status: RunState['status']): void {
    const { run } = this.#store.state;
    if (run) this.#store.update({ run: { ...run, status } });
  }

  async #follow(begin: (onEvent: (event: RunEvent) => void) => Promise<Outcome>): Promise<void> {
    const onEvent = (event: RunEvent) => {
      const { run } = this.#store.state;
      if (run) this.#store.update({ run: afterEvent(run, event) });
    };
    const outcome = await begin(proxy(onEvent)).catch((error: unknown): Outcome => {
      this.#store.update({ crash: String(error) });
      return {
        ok: false,
        sentence: `The engine broke off: ${String(error)}; go on from the last checkpoint.`,
      };
    });
    await this.#end(outcome);
  }

  async #end(outcome: Outcome): Promise<void> {
    const runs = await this.#refreshRuns();
    const { run } = this.#store.state;
    if (!run) return;
    if (!outcome.ok) {
      // A run that failed before its first checkpoint has left nothing to go on with.
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
        unfinished: left && (await this.#unfinished(left)),
      });
      return;
    }
    const { id, status } = outcome.value;
    const record = runs.find((kept) => kept.id === id);
    const checkpoints = record?.checkpoints ?? run.checkpoints;
    this.#store.update({ run: { ...run, id, status, checkpoints, phase: undefined } });
  }

  async #refreshRuns(): Promise<RunRecord[]> {
    const runs = await this.#engine.runs();
    this.#store.update({ runs });
    return runs;
  }

  async #askForStorage(): Promise<void> {
    const persisted = await navigator.storage?.persist?.().catch(() => false);
    this.#store.update({ persisted });
  }
}
