import { UserError } from '../formats/user-error.ts';
import type { Gpu } from '../gpu/device.ts';
import { packWindow } from '../text/packing.ts';
import { dueAfter } from '../train/cadence.ts';
import { evaluate } from '../train/evaluate.ts';
import { LogWindow } from '../train/log-window.ts';
import { rowWindows } from '../train/packs.ts';
import { epochOf, learningRate, type Schedule, warmupSteps } from '../train/schedule.ts';
import { NotFiniteError } from '../train/step.ts';
import type { StepWindow } from '../train/window.ts';
import { BestModel } from './checkpoint/best.ts';
import type { Identification } from './checkpoint/identity.ts';
import { checkSameRun, type Start } from './checkpoint/resume.ts';
import { compileRun } from './compile-kernels.ts';
import type { DeviceKey } from './device-settings.ts';
import type { Prepared } from './input/prepare.ts';
import { RunLog, stepFlos } from './log.ts';
import type { FinetuneOptions, FinetuneResult, SaveNow } from './options.ts';
import { RunOutput } from './output.ts';
import type { ExecutionPlan } from './plan/execution-plan.ts';
import { memoryPlan, totalBytes } from './plan/memory-plan.ts';
import { loadInputs, openSession, planInput, type Session } from './session.ts';
import { Speedometer } from './speedometer.ts';

interface RunParts extends Pick<
  FinetuneOptions,
  'store' | 'emit' | 'signal' | 'resume' | 'onPassEnd' | DeviceKey
> {
  prepared: Prepared;
  identification: Identification;
  gpu: Gpu;
  plan: ExecutionPlan;
  start: Start;
}

/** A session and its output in the store. */
interface Open {
  session: Session;
  output: RunOutput;
}

/** One run on an open device, from its starting point to the result. */
export class Run {
  readonly #parts: RunParts;
  readonly #log: RunLog;
  readonly #window: (step: number) => StepWindow;
  readonly #schedule: Schedule;
  readonly #best: BestModel;
  /** Whether a step is followed by a log entry, an evaluation, a checkpoint. */
  readonly #due: Readonly<Record<'log' | 'evaluation' | 'checkpoint', (step: number) => boolean>>;
  readonly #speed = new Speedometer();
  /** Milliseconds for which `onPassEnd` held the run. */
  #held = 0;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const { prepared, start } = parts;
    const { training, seed } = prepared.inputs.recipe;
    const { cursor, state } = start.checkpoint ?? {};
    this.#log = new RunLog(
      prepared,
      cursor && {
        history: state!.log_history,
        times: cursor.logTimes,
        window: new LogWindow(cursor.logWindow),
        totalFlos: cursor.totalFlos,
      },
    );
    this.#window = rowWindows(prepared, seed);
    const { maxSteps } = prepared;
    this.#due = dueSteps(prepared);
    this.#best = new BestModel(training, this.#due.checkpoint, state);
    this.#schedule = {
      type: training.schedule,
      options: training.scheduleOptions,
      learningRate: training.learningRate,
      maxSteps,
      warmupSteps: warmupSteps(maxSteps, training),
    };
  }

  async go(): Promise<FinetuneResult> {
    const { prepared, identification, gpu, plan, start, emit, signal } = this.#parts;
    const { maxSteps } = prepared;
    const onContent = identification.known ? undefined : (base: string) => this.#baseIs(base);
    const load = () => loadInputs(gpu, prepared, plan, emit, onContent);
    const session = await openSession(gpu, prepared, plan, start.weights, emit, load);
    const { identity } = identification;
    const output = new RunOutput({ ...this.#parts, identity, session, log: this.#log, best: this.#best });
    const open = { session, output };
    session.stream.pacer.yieldGpu = this.#parts.yieldGpu ?? false;
    await compileRun(gpu, prepared, session.plan, emit);
    if (start.checkpoint) {
      const tensors = new Map(start.checkpoint.optimizer.map((t) => [t.name, t.data]));
      session.optimizer.write((name) => tensors.get(name)!);
    } else {
      await output.replaceEarlierRun();
    }
    let step = start.checkpoint?.cursor.step ?? 0;
    this.#tellFacts(session, step);
    const begun = performance.now();
    try {
      await this.#after(open, step);
      while (step < maxSteps) {
        await this.#step(open, step + 1);
        await this.#after(open, ++step);
      }
    } catch (error) {
      if (error instanceof NotFiniteError) {
        throw await this.#explain(output, error);
      }
      if (!signal?.aborted || error !== signal.reason) {
        throw error;
      }
      await output.save(step);
      return { status: 'stopped', step, maxSteps };
    }
    const summarized = this.#log.history.some((entry) => entry.train_loss !== undefined);
    if (!summarized) {
      this.#summarize((performance.now() - begun) / 1000);
    }
    const best = await output.finish();
    return { status: 'finished', step: maxSteps, maxSteps, ...(best && { best }) };
  }

  /** Throws UserError if the base, whose hash is known only now, is not that of the checkpoint. */
  async #baseIs(base: string): Promise<void> {
    const { store, identification, start } = this.#parts;
    const saved = start.checkpoint?.cursor.identity;
    if (saved) {
      checkSameRun(store, saved, { ...identification.besides(saved), base }, 'unfinished');
    }
    await identification.baseIs(base);
  }

  /** One optimizer step and its log entry. */
  async #step({ session, output }: Open, step: number): Promise<void> {
    const { prepared, emit, signal } = this.#parts;
    const { train, grouping, maxSteps, inputs } = prepared;
    const { training, seed } = inputs.recipe;
    const hold = () => this.#hold((rescue) => output.keep(step - 1, rescue));
    await hold();
    signal?.throwIfAborted();
    const { epoch, rows } = this.#window(step);
    const placed = rows.flat().map((index) => ({ row: train.rows[index]!, index }));
    const rate = learningRate(step, this.#schedule);
    const begun = performance.now() - this.#held;
    const call = { t: step, learningRate: rate, seed, epoch, signal, onPassEnd: hold };
    const { loss, gradNorm, tokens } = await session.runner.train(
      packWindow(placed, session.plan.passTokens),
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
    if (this.#due.log(step) || (step === 1 && training.loggingFirstStep)) {
      const values = { loss: this.#log.window.close(step), grad_norm: gradNorm, learning_rate: rate };
      emit({ type: 'log', entry: this.#log.add(step, values) });
      await output.keepLog();
    }
  }

  /**
   * The evaluation and the checkpoint due after a step. The log shows whether a step was evaluated, so that a run
   * stopped during an evaluation starts that evaluation again.
   */
  async #after(open: Open, step: number): Promise<void> {
    const { evalRows, maxSteps, inputs } = this.#parts.prepared;
    const due = step === 0 ? inputs.recipe.training.evalOnStart === true : this.#due.evaluation(step);
    const evaluated = this.#log.history.some((entry) => entry.step === step && entry.eval_loss !== undefined);
    if (evalRows.length > 0 && !evaluated && due) {
      await this.#evaluate(open, step);
    }
    if (step > 0 && step < maxSteps && this.#due.checkpoint(step)) {
      await open.output.keep(step);
    }
  }

  /** Awaits `onPassEnd`. */
  async #hold(save: SaveNow): Promise<void> {
    const begun = performance.now();
    await this.#parts.onPassEnd?.(save);
    this.#held += performance.now() - begun;
  }

  async #evaluate({ session, output }: Open, step: number): Promise<void> {
    const { prepared, emit, signal } = this.#parts;
    const { evalRows, inputs } = prepared;
    const batch = inputs.recipe.training.evalBatchSize;
    const begun = performance.now();
    const { loss } = await evaluate(session.runner, evalRows, {
      batch,
      passTokens: session.plan.passTokens,
      onProgress: (done) =>
        emit({ type: 'phase', phase: 'evaluating', done, total: evalRows.length, unit: 'rows' }),
      onPassEnd: () => this.#hold((rescue) => output.keep(step, rescue)),
      signal,
    });
    const seconds = (performance.now() - begun) / 1000;
    const entry = this.#log.add(step, {
      eval_loss: loss,
      eval_runtime: seconds,
      eval_samples_per_second: evalRows.length / seconds,
      eval_steps_per_second: Math.ceil(evalRows.length / batch) / seconds,
    });
    // As in transformers, the starting point is not a candidate.
    if (step > 0) {
      this.#best.evaluated(step, loss);
    }
    emit({ type: 'log', entry });
    await output.keepLog();
  }

  /** The last entry of log_history, as transformers adds it when training ends. */
  #summarize(seconds: number): void {
    const { prepared, emit } = this.#parts;
    const { maxSteps, train, grouping, inputs } = prepared;
    const { epochs, maxSteps: limit } = inputs.recipe.training;
    const samples =
      limit === undefined ? train.rows.length * epochs : limit * grouping.batch * grouping.accumulation;
    const entry = this.#log.add(maxSteps, {
      train_runtime: seconds,
      train_samples_per_second: samples / seconds,
      train_steps_per_second: maxSteps / seconds,
      total_flos: this.#log.totalFlos,
      train_loss: this.#log.window.trainLoss(maxSteps),
    });
    emit({ type: 'log', entry });
  }

  async #explain(output: RunOutput, error: NotFiniteError): Promise<UserError> {
    const { prepared, store } = this.#parts;
    const { train, inputs } = prepared;
    if (error.intact) {
      await output.save(error.step - 1);
    }
    const lines = error.rows.map((row) => train.rows[row]!.line);
    const where = lines.length === 1 ? `line ${lines[0]}` : `lines ${lines.join(', ')}`;
    const good = (await store.checkpoints()).at(-1);
    const checkpoint =
      good === undefined
        ? 'there is no checkpoint yet'
        : `the last good one is ${store.checkpointName(good)}`;
    // The first step's loss comes from the inputs alone, before any update.
    const remedy =
      error.step > 1
        ? 'lower training.learning_rate or look at those rows'
        : `look at those rows, or take another copy of ${inputs.source ? 'the source adapter or of ' : ''}the base, whose values may be broken`;
    return new UserError(
      `Step ${error.step}: the ${error.what} is not finite (${inputs.train.name}, ${where}); ${checkpoint}; ${remedy}, then start again.`,
    );
  }

  #tellFacts({ plan }: Session, resumedStep: number): void {
    const { prepared, gpu, emit } = this.#parts;
    const { train, evalRows, maxSteps } = prepared;
    const [first] = train.skipped;
    emit({
      type: 'facts',
      facts: {
        gpu: gpu.name,
        software: gpu.software,
        rows: train.rows.length,
        skippedRows: train.skipped.length,
        ...(first && { firstSkipped: `line ${first.line}: ${first.why}` }),
        ...train.stats,
        evalRows: evalRows.length,
        maxSteps,
        resumedStep,
        gpuBytes: totalBytes(memoryPlan(planInput(prepared, plan))),
        history: [...this.#log.history],
      },
    });
  }
}

/** When a run logs, evaluates and saves. */
function dueSteps(prepared: Prepared) {
  const { training } = prepared.inputs.recipe;
  const { loggingStrategy, loggingSteps, evalStrategy, evalSteps, saveStrategy, saveSteps } = training;
  return {
    log: dueAfter({ strategy: loggingStrategy, steps: loggingSteps }, prepared, { atEnd: false }),
    evaluation: dueAfter({ strategy: evalStrategy, steps: evalSteps }, prepared, { atEnd: true }),
    checkpoint: dueAfter({ strategy: saveStrategy, steps: saveSteps }, prepared, { atEnd: true }),
  };
}
