import { type Adapter, freshAdapter, readAdapter } from '../../formats/adapter.ts';
import { type BaseModel, openBaseModel } from '../../formats/base-model.ts';
import type { TrainingSettings } from '../../formats/recipe/settings.ts';
import { UserError } from '../../formats/user-error.ts';
import { counted } from '../../formats/words.ts';
import type { CacheEntry } from '../../model/base/cache/entry.ts';
import { writesDate } from '../../text/chat-template-files.ts';
import type { Columns, RowsSource } from '../../text/columns.ts';
import { loadTokenizer } from '../../text/load-tokenizer.ts';
import { type Moment, wallClock } from '../../text/moment.ts';
import { dateNote, type EncodedRow, type EncodedRows, encodeRows, trainedTargets } from '../../text/rows.ts';
import type { TextTokenizer } from '../../text/tokenizer.ts';
import { dueAfter } from '../../train/cadence.ts';
import { packRows, rowWindows } from '../../train/packs.ts';
import { type Grouping, maxSteps } from '../../train/schedule.ts';
import type { StepWindow } from '../../train/window.ts';
import type { RunEvent } from '../events.ts';
import { prepareSamples, type Samples } from '../samples/prepare.ts';
import type { HeldBack } from './hold-back.ts';
import type { RunInputs } from './run-inputs.ts';
import { firstRows, splitOff } from './split-rows.ts';

/** Everything known before a device is opened. */
export interface Prepared {
  inputs: RunInputs;
  model: BaseModel;
  /** The base's cache entry. */
  cache?: CacheEntry | undefined;
  tokenizer: TextTokenizer;
  adapter: Adapter;
  train: EncodedRows;
  /** Those of the validation file. */
  validation: EncodedRows | undefined;
  evalRows: EncodedRow[];
  /** What of each file is read as what, where its columns have other names. */
  columns: { train: Columns | undefined; validation: Columns | undefined };
  /** How evalRows were held back from the training data, if they were. */
  heldBack?: HeldBack;
  /** The current date for a chat template that writes it, if the base has one. */
  moment?: Moment;
  /** Counts packs if the recipe packs rows. */
  grouping: Grouping;
  /** Rows that share a sequence, by index, if the recipe packs them. */
  packs?: readonly (readonly number[])[];
  maxSteps: number;
  /** Tokens of the longest row, for training or evaluation. */
  longest: number;
  /** Maximum tokens, and maximum trained tokens, of a step. */
  windowTokens: number;
  stepTargets: number;
  /** The recipe's sample prompts, if it has any. */
  samples?: Samples;
}

type Emit = (event: RunEvent) => void;

/** More would take years on any GPU; every step is planned before the first. */
const MAX_STEPS = 1e6;

/** Opens and checks all inputs; `moment` is for a chat template that writes the date. Throws UserError. */
export async function prepare(
  inputs: RunInputs,
  emit: Emit,
  moment: Moment = wallClock(),
): Promise<Prepared> {
  const { recipe } = inputs;
  emit({ type: 'phase', phase: 'opening files', done: 0, total: 3, unit: 'files' });
  const model = await openBaseModel(inputs.base);
  emit({ type: 'phase', phase: 'opening files', done: 1, total: 3, unit: 'files' });
  const adapter = inputs.source
    ? await readAdapter(inputs.source, model.config)
    : freshAdapter(recipe.lora, model.config, recipe.seed, recipe.model.name);
  emit({ type: 'phase', phase: 'opening files', done: 2, total: 3, unit: 'files' });
  const tokenizer = await loadTokenizer(inputs.base, model.config.vocabSize);
  emit({ type: 'phase', phase: 'opening files', done: 3, total: 3, unit: 'files' });
  const encode = (source: RowsSource, use: 'train' | 'evaluate') =>
    encodeRows(source, tokenizer, {
      maxLength: recipe.training.maxLength,
      maxPositions: model.config.maxPositions,
      use,
      moment,
      onProgress: ({ bytesRead, bytesTotal }) =>
        emit({ type: 'phase', phase: 'tokenizing', done: bytesRead, total: bytesTotal, unit: 'bytes' }),
    });
  const all = firstRows(await encode(inputs.train, 'train'), recipe.training.maxTrainSamples);
  const validation = inputs.validation ? await encode(inputs.validation, 'evaluate') : undefined;
  for (const text of [...model.notes, ...tokenizer.notes, ...all.notes, ...(validation?.notes ?? [])]) {
    emit({ type: 'note', text });
  }
  const date = all.date ?? validation?.date;
  if (date !== undefined) {
    emit({ type: 'note', text: dateNote(date) });
  }
  const { train, held, heldBack } = splitOff(all, inputs);
  const evalRows = [...(validation?.rows ?? []), ...held].slice(0, recipe.training.maxEvalSamples);
  if (evalRows.length === 0) {
    refuseWithoutEvaluation(recipe.training);
  }
  const { batchSize: batch, accumulationSteps: accumulation, epochs, maxSteps: limit } = recipe.training;
  const packs = recipe.training.packing
    ? packRows(
        train.rows.map(({ ids }) => ids.length),
        recipe.training.maxLength,
      )
    : undefined;
  const grouping = { rows: packs?.length ?? train.rows.length, batch, accumulation };
  const steps = maxSteps(grouping, epochs, limit);
  if (steps > MAX_STEPS) {
    throw new UserError(
      limit === undefined
        ? `training.num_train_epochs is ${epochs}: with ${counted(grouping.rows, 'row')} that makes ${steps.toPrecision(3)} steps, expected at most ${MAX_STEPS}; lower it.`
        : `training.max_steps is ${limit}, expected at most ${MAX_STEPS}; lower it.`,
    );
  }
  const { evalStrategy: strategy, evalSteps } = recipe.training;
  const evaluates = dueAfter({ strategy, steps: evalSteps }, { maxSteps: steps, grouping }, { atEnd: true });
  const samples = prepareSamples(recipe.training, {
    ...{ model, tokenizer, chat: train.chat, system: train.system, moment },
    rank: adapter.weights.reduce((most, { module }) => Math.max(most, module.r), 1),
    isDue: (step) => evaluates(step) || step === steps,
    maxSteps: steps,
  });
  return {
    inputs,
    model,
    tokenizer,
    adapter,
    train,
    validation,
    evalRows,
    columns: { train: all.columns, validation: validation?.columns },
    ...(heldBack && { heldBack }),
    ...(writesDate(tokenizer.templates) && { moment }),
    grouping,
    ...(packs && { packs }),
    maxSteps: steps,
    ...(samples && { samples }),
    ...sizes(train.rows, evalRows, rowWindows({ grouping, packs }, recipe.seed), steps),
  };
}

/** Throws UserError for settings that take rows to evaluate on. */
function refuseWithoutEvaluation({ loadBestModelAtEnd, earlyStoppingPatience }: TrainingSettings): void {
  const set = loadBestModelAtEnd
    ? 'load_best_model_at_end is on'
    : earlyStoppingPatience !== undefined && `early_stopping_patience is ${earlyStoppingPatience}`;
  if (set) {
    throw new UserError(
      `training.${set}, but there is nothing to evaluate on; add a validation file, or set training.val_size.`,
    );
  }
}

/** What the buffers must hold: for rows, for steps' windows, and for evaluation passes. */
function sizes(
  rows: readonly EncodedRow[],
  evalRows: readonly EncodedRow[],
  window: (step: number) => StepWindow,
  steps: number,
) {
  const longest = [...rows, ...evalRows].reduce((most, { ids }) => Math.max(most, ids.length), 0);
  let windowTokens = 0;
  let stepTargets = longest;
  for (let step = 1; step <= steps; step++) {
    let tokens = 0;
    let targets = 0;
    for (const index of window(step).rows.flat()) {
      tokens += rows[index]!.ids.length;
      targets += trainedTargets(rows[index]!);
    }
    windowTokens = Math.max(windowTokens, tokens);
    stepTargets = Math.max(stepTargets, targets);
  }
  return { longest, windowTokens, stepTargets };
}
