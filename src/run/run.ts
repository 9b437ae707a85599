import type { LoraWeights } from '../formats/adapter.ts';
import { UserError } from '../formats/user-error.ts';
import type { Gpu } from '../gpu/device.ts';
import { packWindow } from '../text/packing.ts';
import { evaluate } from '../train/evaluate.ts';
import { LogWindow } from '../train/log-window.ts';
import { epochOf, learningRate, warmupSteps, type Schedule } from '../train/schedule.ts';
import { NotFiniteError } from '../train/step.ts';
import { stepWindows, type StepWindow } from '../train/window.ts';
import { compileRun } from './compile.ts';
import { checkpointFiles, CURSOR, type Checkpoint, type RunCursor } from './checkpoint.ts';
import type { FinetuneCall, FinetuneResult, SaveNow } from './call.ts';
import type { RunIdentity } from './identity.ts';
import { RunLog, stepFlos } from './log.ts';
import { memoryPlan, totalBytes } from './memory-plan.ts';
import type { Prepared } from './prepare.ts';
import { resultFiles } from './result.ts';
import type { RunPlan } from './run-plan.ts';
import { openSession, planInput, type Session } from './session.ts';
import { Speedometer } from './speedometer.ts';
import { StorageFullError } from './store.ts';

/** What a run starts from. */
export interface Start {
  weights: readonly LoraWeights[];
  checkpoint: Checkpoint | undefined;
  /** The checkpoint of which only the weights were taken. */
  weightsFrom: string | undefined;
}

interface RunParts extends Pick<
  FinetuneCall,
  'store' | 'emit' | 'signal' | 'resume' | 'between' | 'leaveRoom'
> {
  prepared: Prepared;
  identity: RunIdentity;
  gpu: Gpu;
  plan: RunPlan;
  start: Start;
}

/** One run on an open device, from its starting point to the result. */
export class Run {
  #parts: RunParts;
  readonly #log: RunLog;
  readonly #window: (step: number) => StepWindow;
  readonly #schedule: Schedule;
  readonly #speed = new Speedometer();
  /** The step of the last checkpoint, how long the log was then, and whether it stays only until the next. */
  #saved: { step: number; entries: number; rescue: boolean };
  /** Milliseconds for which the door held the run. */
  #held = 0;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const { prepared, start } = parts;
    const { training, seed } = prepared.inputs.recipe;
    const { cursor, state } = start.checkpoint ?? {};
    this.#saved = { step: cursor?.step ?? 0, entries: state?.log_history.length ?? 0, rescue: false };
    this.#log = new RunLog(
      prepared,
      cursor && {
        history: state!.log_history,
        times: cursor.logTimes,
        window: new LogWindow(cursor.logWindow),
        totalFlos: cursor.totalFlos,
      },
    );
    this.#window = stepWindows(prepared.grouping, seed);
    const { maxSteps } = prepared;
    this.#schedule = {
      type: training.schedule,
      learningRate: training.learningRate,
      maxSteps,
      warmupSteps: warmupSteps(maxSteps, training),
    };
  }

  async go(): Promise<FinetuneResult> {
    const { prepared, gpu, start, emit, signal, store } = this.#parts;
    const { maxSteps } = prepared;
    const session = await openSession(gpu, prepared, this.#parts.plan, start.weights, emit);
    const { plan } = session;
    this.#parts = { ...this.#parts, plan };
    session.stream.pacer.leaveRoom = this.#parts.leaveRoom ?? false;
    await compileRun(gpu, prepared, plan, emit);
    if (start.checkpoint) {
      const tensors = new Map(start.checkpoint.optimizer.map((t) => [t.name, t.data]));
      session.optimizer.write((name) => tensors.get(name)!);
    } else await this.#replaceEarlierRun(session);
    let step = start.checkpoint?.cursor.step ?? 0;
    this.#tellFacts(step);
    const begun = performance.now();
    try {
      await this.#after(session, step);
      while (step < maxSteps) {
        await this.#step(session, step + 1);
        await this.#after(session, ++step);
      }
    } catch (error) {
      if (error instanceof NotFiniteError) throw await this.#explain(session, error);
      if (!signal?.aborted || error !== signal.reason) throw error;
      await this.#save(session, step);
      return { status: 'stopped', step, maxSteps };
    }
    const summarised = this.#log.history.some((entry) => entry.train_loss !== undefined);
    if (!summarised) this.#summarise((performance.now() - begun) / 1000);
    await this.#writeLog();
    await this.#save(session, maxSteps);
    emit({ type: 'phase', phase: 'saving', done: 0, total: 1, unit: 'files' });
    await store.saveResult(await resultFiles(await this.#checkpoint(session, maxSteps), prepared), CURSOR);
    return { status: 'finished', step: maxSteps, maxSteps };
  }

  /** One optimizer step and its log entry. */
  async #step(session: Session, step: number): Promise<void> {
    const { prepared, plan, emit, signal } = this.#parts;
    const { train, grouping, maxSteps, inputs } = prepared;
    const { training, seed } = inputs.recipe;
    const hold = () => this.#hold((rescue) => this.#keep(session, step - 1, rescue));
    await hold();
    signal?.throwIfAborted();
    const { epoch, rows } = this.#window(step);
    const placed = rows.flat().map((index) => ({ row: train.rows[index]!, index }));
    const rate = learningRate(step, this.#schedule);
    const begun = performance.now() - this.#held;
    const call = { t: step, learningRate: rate, seed, epoch, signal, between: hold };
    const { loss, gradNorm, tokens } = await session.runner.train(
      packWindow(placed, plan.passTokens),
      session.optimizer,
      call,
    );
    this.#speed.add(tokens, (performance.now() - this.#held - begun) / 1000);
    this.#log.window.add(loss);
    this.#log.totalFlos += stepFlos(prepared, rows);
    emit({
      type: 'step',
      progress: {
        step,
        maxSteps,
        epoch: epochOf(step, grouping),
        loss,
        gradNorm,
        learningRate: rate,
        tokens,
        tokensPerSecond: this.#speed.tokensPerSecond,
        secondsLeft: this.#speed.secondsLeft(maxSteps - step),
      },
    });
    if (step % training.loggingSteps === 0) {
      const values = { loss: this.#log.window.close(step), grad_norm: gradNorm, learning_rate: rate };
      emit({ type: 'log', entry: this.#log.add(step, values) });
      await this.#keepLog();
    }
  }

  /**
   * The evaluation and the checkpoint that a step asks for. Whether it was evaluated shows in the log, so that a run
   * stopped in the middle of an evaluation begins with it again.
   */
  async #after(session: Session, step: number): Promise<void> {
    const { evalRows, maxSteps, inputs } = this.#parts.prepared;
    const { evalSteps, saveSteps } = inputs.recipe.training;
    if (step === 0) return;
    const evaluated = this.#log.history.some((entry) => entry.step === step && entry.eval_loss !== undefined);
    if (evalRows.length > 0 && !evaluated && (step % evalSteps === 0 || step === maxSteps))
      await this.#evaluate(session, step);
    if (step % saveSteps === 0 && step < maxSteps) await this.#keep(session, step);
  }

  /** Waits while the door holds the run. */
  async #hold(save: SaveNow): Promise<void> {
    const begun = performance.now();
    await this.#parts.between?.(save);
    this.#held += performance.now() - begun;
  }

  async #evaluate(session: Session, step: number): Promise<void> {
    const { prepared, plan, emit, signal } = this.#parts;
    const { evalRows, inputs } = prepared;
    const batch = inputs.recipe.training.evalBatchSize;
    const begun = performance.now();
    const { loss } = await evaluate(session.runner, evalRows, {
      batch,
      passTokens: plan.passTokens,
      onProgress: (done) =>
        emit({ type: 'phase', phase: 'evaluating', done, total: evalRows.length, unit: 'rows' }),
      between: () => this.#hold((rescue) => this.#keep(session, step, rescue)),
      signal,
    });
    const seconds = (performance.now() - begun) / 1000;
    const entry = this.#log.add(step, {
      eval_loss: loss,
      eval_runtime: seconds,
      eval_samples_per_second: evalRows.length / seconds,
      eval_steps_per_second: Math.ceil(evalRows.length / batch) / seconds,
    });
    emit({ type: 'log', entry });
    await this.#keepLog();
  }

  /** The last entry of log_history, as transformers adds it when training ends. */
  #summarise(seconds: number): void {
    const { prepared, emit } = this.#parts;
    const { maxSteps, train, inputs } = prepared;
    const entry = this.#log.add(maxSteps, {
      train_runtime: seconds,
      train_samples_per_second: (train.rows.length * inputs.recipe.training.epochs) / seconds,
      train_steps_per_second: maxSteps / seconds,
      total_flos: this.#log.totalFlos,
      train_loss: this.#log.window.trainLoss(maxSteps),
    });
    emit({ type: 'log', entry });
  }

  async #writeLog(): Promise<void> {
    await this.#parts.store.writeLog(this.#log.eventFileName, this.#log.eventFile());
  }

  async #checkpoint(session: Session, step: number): Promise<Checkpoint> {
    const { identity, plan, prepared, start } = this.#parts;
    const cursor: RunCursor = {
      step,
      identity,
      plan,
      logWindow: this.#log.window.save(),
      logTimes: this.#log.times,
      totalFlos: this.#log.totalFlos,
      prompt: prepared.train.chat ? 'chat' : 'text',
      ...(start.weightsFrom === undefined ? {} : { weightsFrom: start.weightsFrom }),
    };
    return {
      cursor,
      state: this.#log.state(step),
      adapter: await session.lora.read(session.stream),
      optimizer: await session.optimizer.read(session.stream),
    };
  }

  /** Saves a checkpoint on the way; where there is no room for it the run goes on without. */
  async #keep(session: Session, step: number, rescue = false): Promise<void> {
    await this.#save(session, step, rescue).catch((error: unknown) => {
      if (!(error instanceof StorageFullError)) throw error;
      const text = `${error.happened}; the run goes on, and tries again with its next checkpoint.`;
      this.#parts.emit({ type: 'note', text });
    });
  }

  /** Writes the log; where there is no room for it the next time writes it all. */
  async #keepLog(): Promise<void> {
    await this.#writeLog().catch((error: unknown) => {
      if (!(error instanceof StorageFullError)) throw error;
    });
  }

  /** Saves a checkpoint unless this step has one, then drops those beyond the limit. */
  async #save(session: Session, step: number, rescue = false): Promise<void> {
    const { store, prepared, emit } = this.#parts;
    const entries = this.#log.history.length;
    const saved = this.#saved;
    if (step === saved.step && entries === saved.entries && (rescue || !saved.rescue)) return;
    emit({ type: 'phase', phase: 'saving', done: 0, total: 1, unit: 'files' });
    const files = await checkpointFiles(await this.#checkpoint(session, step), prepared);
    await store.saveCheckpoint(step, files, rescue);
    this.#saved = { step, entries, rescue };
    const bytes = Object.values(files)
      .flat()
      .reduce((sum, chunk) => sum + chunk.length, 0);
    emit({ type: 'checkpoint', step, bytes });
    // It counts beside those that the recipe keeps, and the store takes it away with the next.
    if (rescue) return;
    const steps = await store.checkpoints();
    const { saveTotalLimit } = prepared.inputs.recipe.training;
    for (const old of steps.slice(0, Math.max(0, steps.length - saveTotalLimit)))
      await store.removeCheckpoint(old);
  }

  /**
   * A run that does not go on from the checkpoints in its store takes their place: first it leaves one of its own,
   * so that at no moment there is nothing to go on from.
   */
  async #replaceEarlierRun(session: Session): Promise<void> {
    const { store, prepared } = this.#parts;
    await store.unfinish(CURSOR);
    const earlier = await store.checkpoints();
    if (earlier.length === 0) return;
    await store.saveCheckpoint(0, await checkpointFiles(await this.#checkpoint(session, 0), prepared));
    for (const step of earlier.toReversed()) if (step > 0) await store.removeCheckpoint(step);
  }

  async #explain(session: Session, error: NotFiniteError): Promise<UserError> {
    const { prepared, store } = this.#parts;
    const { train, inputs } = prepared;
    if (error.intact) await this.#save(session, error.step - 1);
    const lines = error.rows.map((row) => train.rows[row]!.line);
    const where = lines.length === 1 ? `line ${lines[0]}` : `lines ${lines.join(', ')}`;
    const good = (await store.checkpoints()).at(-1);
    const checkpoint =
      good === undefined
        ? 'there is no checkpoint yet'
        : `the last good one is ${store.checkpointName(good)}`;
    return new UserError(
      `Step ${error.step}: the ${error.what} is not finite (${inputs.train.name}, ${where}); ${checkpoint}; lower training.learning_rate or look at those rows, then start again.`,
    );
  }

  #tellFacts(resumedStep: number): void {
    const { prepared, gpu, plan, emit } = this.#parts;
    const { train, evalRows, maxSteps } = prepared;
    emit({
      type: 'facts',
      facts: {
        gpu: gpu.name,
        software: gpu.software,
        rows: train.rows.length,
        skippedRows: train.skipped.length,
        ...train.stats,
        evalRows: evalRows.length,
        maxSteps,
        resumedStep,
        gpuBytes: totalBytes(memoryPlan(planInput(prepared, plan))),
      },
    });
  }
}
