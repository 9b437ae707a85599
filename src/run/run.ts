import { parameterCount } from '../formats/decoder-weights.ts';
import { anyChanges, countChanges } from '../formats/row-changes.ts';
import { stopsEarly } from '../formats/trainer-state.ts';
import { counted } from '../formats/words.ts';
import type { Gpu } from '../gpu/device.ts';
import { packWindow } from '../text/packing.ts';
import { LogWindow } from '../train/log-window.ts';
import { rowWindows } from '../train/packs.ts';
import { epochOf, learningRate, type Schedule, warmupSteps } from '../train/schedule.ts';
import { NotFiniteError } from '../train/step.ts';
import type { StepWindow } from '../train/window.ts';
import { BestModel } from './checkpoint/best.ts';
import type { Identification } from './checkpoint/identity.ts';
import { checkSameRun, type Start } from './checkpoint/resume.ts';
import { SavedBest } from './checkpoint/saved-best.ts';
import { compileRun } from './compile-kernels.ts';
import type { DeviceKey } from './device-settings.ts';
import { type DueSteps, dueSteps } from './due-steps.ts';
import { evaluateRows } from './evaluation.ts';
import type { Phase } from './events.ts';
import { expectedTime } from './expected-time.ts';
import { explainNotFinite } from './explain-not-finite.ts';
import type { Prepared } from './input/prepare.ts';
import { RunLog, stepFlos } from './log.ts';
import type { FinetuneOptions, FinetuneResult, SaveNow } from './options.ts';
import { RunOutput } from './output.ts';
import type { ExecutionPlan } from './plan/execution-plan.ts';
import { memoryPlan, totalBytes } from './plan/memory-plan.ts';
import { answerSamples } from './samples/answer.ts';
import { SampleClock } from './samples/clock.ts';
import { loadInputs, openSession, planInput, type Session } from './session.ts';
import { Speedometer } from './speedometer.ts';
import { workOf } from './training-speed.ts';
import { WithinStep } from './within-step.ts';

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
  readonly #savedBest: SavedBest;
  readonly #due: DueSteps;
  readonly #speed = new Speedometer();
  readonly #sampled: SampleClock;
  /** What a log entry says of the last step alone. */
  #latest: Record<'grad_norm' | 'learning_rate', number> | undefined;
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
        baseline: cursor.baseline,
        samples: cursor.samples,
      },
    );
    this.#window = rowWindows(prepared, seed);
    const { maxSteps } = prepared;
    this.#due = dueSteps(prepared);
    this.#sampled = new SampleClock(maxSteps, this.#due.evaluation);
    this.#best = new BestModel(training, this.#due.checkpoint, state);
    this.#savedBest = new SavedBest(training, this.#due);
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
    const kept = { best: this.#best, savedBest: this.#savedBest };
    const output = new RunOutput({ ...this.#parts, identity, session, log: this.#log, ...kept });
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
    let begun: number;
    try {
      await this.#measureBaseline(open, step);
      begun = performance.now();
      await this.#after(open, step);
      while (step < maxSteps && !this.#endsEarly(step)) {
        await this.#step(open, step + 1);
        await this.#after(open, ++step);
      }
    } catch (error) {
      if (error instanceof NotFiniteError) {
        if (error.intact) {
          await output.save(error.step - 1);
        }
        throw await explainNotFinite(error, prepared, this.#parts.store, plan.savedFormat);
      }
      if (!signal?.aborted || error !== signal.reason) {
        throw error;
      }
      await output.save(step);
      return { status: 'stopped', step, maxSteps };
    }
    if (step < maxSteps) {
      const times = counted(this.#log.earlyStopping!.patience, 'evaluation');
      const text = `Training ended after step ${step} of ${maxSteps}: the eval loss had not improved for ${times} (early_stopping_patience).`;
      emit({ type: 'note', text });
    }
    const summarized = this.#log.history.some((entry) => entry.train_loss !== undefined);
    if (!summarized) {
      emit({ type: 'log', entry: this.#log.summarize(step, (performance.now() - begun) / 1000) });
    }
    const best = await output.finish(step);
    return { status: 'finished', step, maxSteps, ...(best && { best }) };
  }

  /**
   * Evaluates what a run starts from, for its end to be compared with. transformers' log has that only with
   * `eval_on_start`, so here it is kept beside it.
   */
  async #measureBaseline(open: Open, step: number): Promise<void> {
    const { prepared, emit } = this.#parts;
    const { evalOnStart, evalStrategy } = prepared.inputs.recipe.training;
    const wanted = prepared.evalRows.length > 0 && evalStrategy !== 'no' && !evalOnStart;
    if (step > 0 || !wanted || this.#log.baseline !== undefined) {
      return;
    }
    const { eval_loss: evalLoss } = await this.#evalLoss(open, step, 'evaluating the start');
    if (Number.isFinite(evalLoss)) {
      this.#log.baseline = evalLoss;
      emit({ type: 'baseline', evalLoss });
    }
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
  async #step(open: Open, step: number): Promise<void> {
    const { session, output } = open;
    const { prepared, emit, signal } = this.#parts;
    const { train, grouping, maxSteps, inputs } = prepared;
    const { training, seed } = inputs.recipe;
    const hold = () => this.#hold((rescue) => output.keep(step - 1, rescue));
    await hold();
    signal?.throwIfAborted();
    const { epoch, rows } = this.#window(step);
    const placed = rows.flat().map((index) => ({ row: train.rows[index]!, index }));
    const rate = learningRate(step, this.#schedule);
    const passes = packWindow(placed, session.plan.passTokens);
    const begun = performance.now() - this.#held;
    const within = new WithinStep(passes, { step, maxSteps });
    const onPassEnd = () => {
      const seconds = (performance.now() - this.#held - begun) / 1000;
      within.passed(seconds, this.#speed, emit);
      return hold();
    };
    const call = { t: step, learningRate: rate, seed, epoch, signal, onPassEnd };
    const { loss, gradNorm, tokens } = await session.runner.train(passes, session.optimizer, call);
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
        secondsLeft: this.#speed.secondsLeft(maxSteps - step) + this.#sampled.secondsLeft(step),
      },
    });
    this.#latest = { grad_norm: gradNorm, learning_rate: rate };
    if (this.#due.log(step) || (step === 1 && training.loggingFirstStep)) {
      await this.#addLog(open, step);
    }
  }

  async #addLog({ output }: Open, step: number): Promise<void> {
    const values = { loss: this.#log.window.close(step), ...this.#latest };
    this.#parts.emit({ type: 'log', entry: this.#log.add(step, values) });
    await output.keepLog();
  }

  /**
   * The evaluation and the checkpoint due after a step. The log shows whether a step was evaluated, so that a run
   * stopped during an evaluation starts that evaluation again.
   */
  async #after(open: Open, step: number): Promise<void> {
    const { store, prepared } = this.#parts;
    const { evalRows, maxSteps, inputs } = prepared;
    const { training } = inputs.recipe;
    const evaluates = step === 0 ? training.evalOnStart === true : this.#due.evaluation(step);
    if (evalRows.length > 0 && evaluates && !this.#isLogged('eval_loss', step)) {
      await this.#evaluate(open, step);
    }
    if (step === 0 || step === maxSteps || this.#due.evaluation(step)) {
      await this.#answerSamples(open, step);
    }
    if (step === 0 || step === maxSteps) {
      return;
    }
    // As in transformers, an epoch that ends early is over, with what is due then.
    const ends = this.#endsEarly(step);
    if (ends && training.loggingStrategy === 'epoch' && !this.#isLogged('loss', step)) {
      await this.#addLog(open, step);
    }
    const due = this.#due.checkpoint(step) || (ends && training.saveStrategy === 'epoch');
    const { history } = this.#log;
    const judged = this.#isLogged('eval_loss', step);
    if (due || (judged && this.#savedBest.beats(step, await store.checkpoints(), history))) {
      await open.output.keep(step);
    }
  }

  /** Answers the sample prompts, unless an earlier start did. */
  async #answerSamples({ session, output }: Open, step: number): Promise<void> {
    const { prepared, emit, signal } = this.#parts;
    const { samples: log } = this.#log;
    if (log.missing(step).length === 0) {
      return;
    }
    const begun = performance.now() - this.#held;
    const onPassEnd = () => this.#hold((rescue) => output.keep(step, rescue));
    await answerSamples(session, prepared, step, { log, emit, signal, onPassEnd });
    this.#sampled.add((performance.now() - this.#held - begun) / 1000);
    await output.keepLog();
  }

  #isLogged(key: 'loss' | 'eval_loss', step: number): boolean {
    return this.#log.history.some((entry) => entry.step === step && entry[key] !== undefined);
  }

  /** Whether training ends after this step although more would follow. */
  #endsEarly(step: number): boolean {
    return step < this.#parts.prepared.maxSteps && stopsEarly(this.#log.earlyStopping);
  }

  /** Awaits `onPassEnd`. */
  async #hold(save: SaveNow): Promise<void> {
    const begun = performance.now();
    await this.#parts.onPassEnd?.(save);
    this.#held += performance.now() - begun;
  }

  #evalLoss({ session, output }: Open, step: number, phase: Phase) {
    const { prepared, emit, signal } = this.#parts;
    const onPassEnd = () => this.#hold((rescue) => output.keep(step, rescue));
    return evaluateRows(session, prepared, { phase, emit, signal, onPassEnd });
  }

  async #evaluate(open: Open, step: number): Promise<void> {
    const values = await this.#evalLoss(open, step, 'evaluating');
    // As in transformers, the starting point is not a candidate.
    if (step > 0) {
      this.#best.evaluated(step, values.eval_loss);
    }
    this.#parts.emit({ type: 'log', entry: this.#log.add(step, values) });
    await open.output.keepLog();
  }

  #tellFacts({ plan }: Session, resumedStep: number): void {
    const { prepared, gpu, emit } = this.#parts;
    const { train, evalRows, maxSteps } = prepared;
    const [first] = train.skipped;
    const changes = anyChanges(prepared.inputs.train.changes);
    const { film } = this.#log.samples;
    const { vendor = '', architecture = '' } = gpu.device.adapterInfo ?? {};
    const { name, software } = gpu;
    const left = workOf(prepared) * (1 - resumedStep / maxSteps);
    const expected = expectedTime(
      { name, software, vendor, architecture },
      parameterCount(prepared.model.config),
      left,
    );
    emit({
      type: 'facts',
      facts: {
        gpu: gpu.name,
        software: gpu.software,
        rows: train.rows.length,
        skippedRows: train.skipped.length,
        ...(first && { firstSkipped: `line ${first.line}: ${first.why}` }),
        ...train.stats,
        ...(changes && { changed: countChanges(changes) }),
        evalRows: evalRows.length,
        maxSteps,
        resumedStep,
        gpuBytes: totalBytes(memoryPlan(planInput(prepared, plan))),
        ...(expected && { expected }),
        history: [...this.#log.history],
        ...(this.#log.baseline !== undefined && { baseline: this.#log.baseline }),
        ...(film && { samples: film }),
      },
    });
  }
}
