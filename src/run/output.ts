import { type LoraWeights, readAdapter } from '../formats/adapter.ts';
import { UserError } from '../formats/user-error.ts';
import { cardFacts } from './card-facts.ts';
import type { BestModel } from './checkpoint/best.ts';
import {
  type Checkpoint,
  checkpointFiles,
  CURSOR,
  type RunCursor,
  systemPrompt,
  verifyFiles,
} from './checkpoint/checkpoint.ts';
import type { RunIdentity } from './checkpoint/identity.ts';
import type { Start } from './checkpoint/resume.ts';
import { evalLossAt, type SavedBest } from './checkpoint/saved-best.ts';
import { StorageError } from './checkpoint/store.ts';
import type { Prepared } from './input/prepare.ts';
import { OUR_LOGS, type RunLog } from './log.ts';
import type { BestStep } from './options.ts';
import type { FinetuneOptions } from './options.ts';
import { resultFiles } from './result.ts';
import type { Session } from './session.ts';

interface RunOutputParts extends Pick<FinetuneOptions, 'store' | 'emit'> {
  prepared: Prepared;
  identity: RunIdentity;
  start: Start;
  session: Session;
  log: RunLog;
  best: BestModel;
  savedBest: SavedBest;
}

/** Writes into a run's store: checkpoints, the log and, at the end, the result. */
export class RunOutput {
  readonly #parts: RunOutputParts;
  /** Whether the user was told that the log could not be written. */
  #logFailed = false;
  /**
   * The step of the last checkpoint, the length of the log then, and whether the checkpoint is kept only until the
   * next.
   */
  #saved: { step: number; entries: number; rescue: boolean };

  constructor(parts: RunOutputParts) {
    this.#parts = parts;
    const { checkpoint } = parts.start;
    this.#saved = { step: checkpoint?.cursor.step ?? 0, entries: entriesOf(parts.log), rescue: false };
  }

  /** Saves a checkpoint unless this step has one, then drops those beyond the limit. */
  async save(step: number, rescue = false): Promise<void> {
    const { store, prepared, emit, log, best } = this.#parts;
    const entries = entriesOf(log);
    const saved = this.#saved;
    if (step === saved.step && entries === saved.entries && (rescue || !saved.rescue)) {
      return;
    }
    emit({ type: 'phase', phase: 'saving', done: 0, total: 1, unit: 'files' });
    const failed = rescue ? () => undefined : best.saving(step, await store.checkpoints());
    const files = await checkpointFiles(await this.#checkpoint(step), prepared);
    await store.saveCheckpoint(step, files, rescue).catch((error: unknown) => {
      failed();
      throw error;
    });
    this.#saved = { step, entries, rescue };
    const bytes = Object.values(files)
      .flat()
      .reduce((sum, chunk) => sum + chunk.length, 0);
    emit({ type: 'checkpoint', step, bytes });
    // It does not count towards the recipe's limit, and the store removes it with the next.
    if (!rescue) {
      await this.#prune(await this.#doomed());
    }
  }

  async #doomed(): Promise<number[]> {
    const { store, log, best, savedBest } = this.#parts;
    return savedBest.doomed(await store.checkpoints(), log.history, (steps) => best.doomed(steps));
  }

  /** Drops checkpoints. Failure to remove one does not end the run. */
  async #prune(doomed: readonly number[]): Promise<void> {
    const note = this.#noting('the run continues');
    for (const step of doomed) {
      await this.#parts.store.removeCheckpoint(step).catch(note);
    }
  }

  /** Reports a StorageError as a note instead of ending the run. */
  #noting(whatThen: string): (error: unknown) => void {
    return (error) => {
      if (!(error instanceof UserError)) {
        throw error;
      }
      this.#parts.emit({ type: 'note', text: `${error.what}; ${whatThen}.` });
    };
  }

  /** Saves an intermediate checkpoint; on a StorageError the run continues. */
  async keep(step: number, rescue = false): Promise<void> {
    const note = this.#noting('the run continues, and tries again at its next checkpoint');
    await this.save(step, rescue).catch((error: unknown) => {
      if (!(error instanceof StorageError)) {
        throw error;
      }
      note(error);
    });
  }

  async #writeLog(): Promise<void> {
    const { store, log } = this.#parts;
    for (const [name, bytes] of log.files()) {
      await store.writeLog(name, bytes);
    }
  }

  /** Writes the log; if that fails, the next call writes all of it. */
  async keepLog(): Promise<void> {
    try {
      await this.#writeLog();
      this.#logFailed = false;
    } catch (error) {
      const note = this.#noting('the run continues, and writes the whole log with its next entry');
      if (this.#logFailed && error instanceof UserError) {
        return;
      }
      this.#logFailed = true;
      note(error);
    }
  }

  /**
   * Writes the last checkpoint, from which a start resumes if there is no space for the rest, unless training ended
   * early, where transformers writes none; then the log and the result, which is of `step`. Resolves to the best step
   * if the result is of that.
   */
  async finish(step: number): Promise<BestStep | undefined> {
    const { store, prepared, emit, log, best, savedBest } = this.#parts;
    const { maxSteps, inputs } = prepared;
    const { saveStrategy, loadBestModelAtEnd } = inputs.recipe.training;
    if (saveStrategy !== 'no') {
      if (step === maxSteps) {
        await this.save(step);
      }
      // An earlier start may have ended between its last checkpoint and this point.
      await this.#prune(await this.#doomed());
    }
    await this.#writeLog();
    emit({ type: 'phase', phase: 'saving', done: 0, total: 1, unit: 'files' });
    const last = await this.#checkpoint(step);
    const adapter = loadBestModelAtEnd ? await this.#bestAdapter() : undefined;
    const { config } = prepared.adapter;
    const { recipe } = inputs;
    const result = { ...last, ...(adapter && { adapter }) };
    await store.saveResult(await resultFiles(result, { config, recipe }), CURSOR);
    await this.#prune(
      savedBest.doomed(await store.checkpoints(), log.history, (steps) => best.doomedAtEnd(steps)),
    );
    if (!adapter) {
      return undefined;
    }
    const evalLoss = best.step === undefined ? undefined : evalLossAt(log.history, best.step);
    return best.step === undefined || evalLoss === undefined ? undefined : { step: best.step, evalLoss };
  }

  /** The best checkpoint's adapter; undefined, with a note, if there is none. */
  async #bestAdapter(): Promise<LoraWeights[] | undefined> {
    const { store, prepared, emit, best } = this.#parts;
    const without = (why: string) =>
      emit({ type: 'note', text: `${why}, so the result is the adapter of the last step.` });
    if (best.step === undefined) {
      return void without('No checkpoint is of the step with the best eval_loss');
    }
    try {
      const folder = await store.openCheckpoint(best.step);
      await verifyFiles(folder);
      return (await readAdapter(folder, prepared.model.config)).weights;
    } catch (error) {
      if (!(error instanceof UserError)) {
        throw error;
      }
      return void without(`The best checkpoint cannot be read (${error.what})`);
    }
  }

  /**
   * For a run that replaces the store's checkpoints instead of resuming: it first saves one of its own, so that
   * there is always something to resume from.
   */
  async replaceEarlierRun(): Promise<void> {
    const { store, prepared, start } = this.#parts;
    await store.unfinish(CURSOR);
    // Logs of other starts from scratch; a run that takes another run's weights leaves that run's log in place.
    if (start.weightsFrom === undefined) {
      await store.removeLogs(OUR_LOGS);
    }
    const earlier = await store.checkpoints();
    if (earlier.length === 0) {
      return;
    }
    await store.saveCheckpoint(0, await checkpointFiles(await this.#checkpoint(0), prepared));
    for (const step of earlier.toReversed()) {
      if (step > 0) {
        await store.removeCheckpoint(step);
      }
    }
  }

  async #checkpoint(step: number): Promise<Checkpoint> {
    const { identity, prepared, start, session, log, best } = this.#parts;
    const { film: samples } = log.samples;
    const cursor: RunCursor = {
      step,
      identity,
      plan: session.plan,
      ...systemPrompt(prepared.train.system),
      logWindow: log.window.save(),
      logTimes: log.times,
      totalFlos: log.totalFlos,
      ...(log.baseline !== undefined && { baseline: log.baseline }),
      ...(samples && { samples }),
      prompt: prepared.train.chat ? 'chat' : 'text',
      trainedRows: start.trainedRows,
      card: cardFacts(prepared),
      ...(start.weightsFrom === undefined ? {} : { weightsFrom: start.weightsFrom }),
    };
    return {
      cursor,
      state: log.state(step, best.state),
      adapter: await session.lora.read(session.stream),
      optimizer: await session.optimizer.read(session.stream),
    };
  }
}

/** Entries of the log: those of log_history, and answers to sample prompts. */
const entriesOf = ({ history, samples }: RunLog): number =>
  history.length + (samples.film?.answers.length ?? 0);
