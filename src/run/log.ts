// Reference: transformers, src/transformers/integrations/integration_utils.py (TensorBoardCallback).
import { denseTensors, linearModules } from '../formats/decoder-weights.ts';
import { EVENT_FILE_PREFIX, eventHeader, scalarEvent } from '../formats/event-file.ts';
import type { EarlyStoppingState, LogEntry, TrainerState } from '../formats/trainer-state.ts';
import { encodeUtf8 } from '../formats/utf8.ts';
import { stepsBetween } from '../train/cadence.ts';
import { evaluationsWithoutImprovement } from '../train/early-stopping.ts';
import { LogWindow } from '../train/log-window.ts';
import { epochOf, stepsPerEpoch } from '../train/schedule.ts';
import type { BestState } from './checkpoint/best.ts';
import type { Prepared } from './input/prepare.ts';
import { filmLines, type SampleFilm, SampleLog } from './samples/film.ts';

/**
 * TensorBoard's names for our entries, as transformers' callback assigns them, in the order of trainer_state.json,
 * so that a resumed run writes the same file.
 */
function tags(entry: LogEntry): Record<string, number> {
  const named = Object.entries(entry)
    .filter(([key]) => key !== 'step')
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]): [string, number] => [
      key.startsWith('eval_') ? `eval/${key.slice('eval_'.length)}` : `train/${key}`,
      value,
    ]);
  return Object.fromEntries(named);
}

/** The answers to sample prompts among the logs. */
const SAMPLES_FILE = 'sample_answers.jsonl';

/** The logs that Retune writes: event files, whose names hold the time at which their run began, and samples. */
export const OUR_LOGS = /^(?:events\.out\.tfevents\.\d+\.retune|sample_answers\.jsonl)$/;

/** The run's log: log_history, the open logging window and the floating-point operations so far. */
export class RunLog {
  readonly history: LogEntry[];
  readonly times: number[];
  readonly window: LogWindow;
  totalFlos: number;
  /** The eval_loss before the first step where that was measured only to compare with; no entry of the history. */
  baseline: number | undefined;
  /** Answers to the recipe's sample prompts, of which log_history has no entries either. */
  readonly samples: SampleLog;
  readonly #prepared: Prepared;

  constructor(
    prepared: Prepared,
    from: {
      history: readonly LogEntry[];
      times: readonly number[];
      window?: LogWindow;
      totalFlos: number;
      baseline?: number | undefined;
      samples?: SampleFilm | undefined;
    } = {
      history: [],
      times: [],
      totalFlos: 0,
    },
  ) {
    this.#prepared = prepared;
    this.history = [...from.history];
    this.times = [...from.times];
    this.window = from.window ?? new LogWindow();
    this.totalFlos = from.totalFlos;
    this.baseline = from.baseline;
    this.samples = new SampleLog(prepared.inputs.recipe.training.samplePrompts, from.samples);
  }

  /** Appends an entry for `step`. */
  add(step: number, values: Record<string, number>): LogEntry {
    const entry = { ...values, epoch: epochOf(step, this.#prepared.grouping), step };
    this.history.push(entry);
    this.times.push(Date.now() / 1000);
    return entry;
  }

  /** Appends the last entry, as transformers does when training ends after `step`. */
  summarize(step: number, seconds: number): LogEntry {
    const { maxSteps, train, grouping, inputs } = this.#prepared;
    const { epochs, maxSteps: limit } = inputs.recipe.training;
    const samples =
      limit === undefined ? train.rows.length * epochs : limit * grouping.batch * grouping.accumulation;
    return this.add(step, {
      train_runtime: seconds,
      train_samples_per_second: (samples * step) / maxSteps / seconds,
      train_steps_per_second: step / seconds,
      total_flos: this.totalFlos,
      train_loss: this.window.trainLoss(step),
    });
  }

  /** How early stopping stands; undefined if the recipe does not ask for it. */
  get earlyStopping(): EarlyStoppingState | undefined {
    const { training } = this.#prepared.inputs.recipe;
    const { earlyStoppingPatience: patience, earlyStoppingThreshold: threshold = 0 } = training;
    if (patience === undefined) {
      return undefined;
    }
    const losses = this.history.flatMap(({ step, eval_loss: loss }) =>
      step > 0 && loss !== undefined ? [loss] : [],
    );
    const counter = evaluationsWithoutImprovement(losses, threshold, training.greaterIsBetter);
    return { patience, threshold, counter };
  }

  /** trainer_state.json after `step`. */
  state(step: number, best: BestState): TrainerState {
    const { inputs, grouping, maxSteps } = this.#prepared;
    const { training } = inputs.recipe;
    const { earlyStopping } = this;
    return {
      global_step: step,
      epoch: step === 0 ? 0 : epochOf(step, grouping),
      max_steps: maxSteps,
      num_train_epochs: Math.ceil(
        training.maxSteps === undefined ? training.epochs : maxSteps / stepsPerEpoch(grouping),
      ),
      train_batch_size: training.batchSize,
      eval_steps: stepsBetween({ steps: training.evalSteps }, maxSteps),
      logging_steps: stepsBetween({ steps: training.loggingSteps }, maxSteps),
      save_steps: stepsBetween({ steps: training.saveSteps }, maxSteps),
      ...best,
      log_history: this.history,
      num_input_tokens_seen: 0,
      total_flos: this.totalFlos,
      ...(earlyStopping && { earlyStopping }),
    };
  }

  /** The logs by name: the event file, whose name stays the same for the whole run, and the sample answers, if any. */
  files(): [name: string, bytes: Uint8Array][] {
    const { film } = this.samples;
    return [
      [`${EVENT_FILE_PREFIX}${Math.floor(this.times[0] ?? 0)}.retune`, this.eventFile()],
      ...(film ? [[SAMPLES_FILE, encodeUtf8(filmLines(film))] as [string, Uint8Array]] : []),
    ];
  }

  /** The history as a TensorBoard event file. */
  eventFile(): Uint8Array {
    const chunks = [eventHeader(this.times[0] ?? 0)];
    this.history.forEach((entry, i) => chunks.push(scalarEvent(this.times[i]!, entry.step, tags(entry))));
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }
}

/**
 * Floating-point operations of one step as transformers counts them: 6 · input tokens, including padding, ·
 * parameters outside embeddings.
 */
export function stepFlos(
  { model, adapter, train, packs }: Prepared,
  microBatches: readonly number[][],
): number {
  const product = (shape: readonly number[]) => shape.reduce((all, n) => all * n, 1);
  let parameters = 0;
  for (const { shape } of linearModules(model.config)) {
    parameters += product(shape);
  }
  for (const [name, shape] of denseTensors(model.config)) {
    if (name !== 'model.embed_tokens.weight') {
      parameters += product(shape);
    }
  }
  for (const { module } of adapter.weights) {
    parameters += module.r * (module.inFeatures + module.outFeatures);
  }
  let tokens = 0;
  const lengthOf = (row: number) => train.rows[row]!.ids.length;
  // Packed sequences are concatenated without padding.
  for (const batch of microBatches) {
    tokens += packs
      ? batch.reduce((sum, row) => sum + lengthOf(row), 0)
      : batch.length * batch.reduce((most, row) => Math.max(most, lengthOf(row)), 0);
  }
  return 6 * tokens * parameters;
}
