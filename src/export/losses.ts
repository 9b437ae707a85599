import { type EvalLoss, Evaluator } from '../comparison/version-loss.ts';
import { readAdapter } from '../formats/adapter.ts';
import type { BaseModel } from '../formats/base-model.ts';
import type { Gpu } from '../gpu/device.ts';
import { Stream } from '../gpu/stream.ts';
import type { BaseCache } from '../model/base/cache/base-cache.ts';
import { loadBase } from '../model/base/load.ts';
import { Lora } from '../model/lora.ts';
import { CURSOR, readCursor } from '../run/checkpoint/checkpoint.ts';
import type { RunEvent } from '../run/events.ts';
import { firstRows, splitOff } from '../run/input/split-rows.ts';
import { generationPlan, withinMemory } from '../run/plan/memory-plan.ts';
import type { RowsSource } from '../text/columns.ts';
import { wallClock } from '../text/moment.ts';
import { type EncodedRow, encodeRows } from '../text/rows.ts';
import type { Source } from './source.ts';
import { type StoredAs, writtenModel } from './written-model.ts';

/** The eval_loss of the same rows twice. */
export interface Losses {
  /** The adapter over the weights that training saw. */
  readonly trained: EvalLoss;
  /** The merged weights, as they are written. */
  readonly written: EvalLoss;
}

/** Rows to evaluate on: a file of them, or the part of a run's file that was held out of training. */
export type JudgingRows = RowsSource | { heldOutOf: RowsSource };

export interface JudgeOptions {
  rows: JudgingRows;
  /** The loss of the adapter as it was trained, where it is known of these rows. */
  trained?: EvalLoss | undefined;
  /** Quantized bases. */
  baseCache?: BaseCache | undefined;
  /** A device for a while, which is closed after that. */
  withGpu: <T>(work: (gpu: Gpu) => Promise<T>) => Promise<T>;
  emit: (event: Extract<RunEvent, { type: 'phase' | 'note' }>) => void;
  signal: AbortSignal;
}

/** Evaluates what is exported on rows, before and after merging. Throws UserError. */
export async function lossesOf(source: Source, storedAs: StoredAs, options: JudgeOptions): Promise<Losses> {
  const { base, adapterFolder } = source;
  const rows = await encodedRows(source, options);
  const trained =
    options.trained ??
    (await options.withGpu(async (gpu) => {
      const { weights } = await readAdapter(adapterFolder, base.config);
      return lossOf(gpu, { model: base, weights, cache: options.baseCache }, rows, source, options);
    }));
  const model = writtenModel(source, storedAs);
  const written = await options.withGpu((gpu) => lossOf(gpu, { model, weights: [] }, rows, source, options));
  return { trained, written };
}

async function encodedRows(
  { base, tokenizer, recipe, adapterFolder }: Source,
  { rows: from, emit, signal }: JudgeOptions,
): Promise<readonly EncodedRow[]> {
  const cursor = (await adapterFolder.open(CURSOR)) && (await readCursor(adapterFolder));
  const { maxLength, maxEvalSamples, maxTrainSamples } = recipe.training;
  const encoded = (file: RowsSource, use: 'train' | 'evaluate') =>
    encodeRows(file, tokenizer, {
      maxLength: Math.min(maxLength, base.config.maxPositions),
      use,
      moment: cursor?.plan.moment ?? wallClock(),
      onProgress: ({ bytesRead, bytesTotal }) => {
        emit({ type: 'phase', phase: 'tokenizing', done: bytesRead, total: bytesTotal, unit: 'bytes' });
        signal.throwIfAborted();
      },
    });
  if ('heldOutOf' in from) {
    const { heldOutOf: train } = from;
    const all = firstRows(await encoded(train, 'train'), maxTrainSamples);
    return splitOff(all, { recipe, train, validation: undefined }).held.slice(0, maxEvalSamples);
  }
  const { rows, notes } = await encoded(from, 'evaluate');
  for (const text of notes) {
    emit({ type: 'note', text });
  }
  return rows.slice(0, maxEvalSamples);
}

/** What is evaluated: a model, or a base with an adapter over it. */
interface Judged {
  model: BaseModel;
  weights: ConstructorParameters<typeof Lora>[1];
  cache?: BaseCache | undefined;
}

async function lossOf(
  gpu: Gpu,
  { model, weights, cache }: Judged,
  rows: readonly EncodedRow[],
  { recipe, doubleQuant }: Source,
  { emit, signal }: JudgeOptions,
): Promise<EvalLoss> {
  const positions = Math.max(...rows.map(({ ids }) => ids.length));
  const modules = weights.map(({ module }) => module);
  const rank = Math.max(1, ...modules.map(({ r }) => r));
  const shape = { sequences: 1, capacity: positions, rank };
  const plan = generationPlan({ model, doubleQuant, modules, shape });
  const within = <T>(allocate: () => Promise<T>): Promise<T> =>
    withinMemory(
      gpu,
      plan,
      allocate,
      'export without rows to evaluate on, or close other programs that use the GPU',
    );
  const base = await within(async () =>
    loadBase(gpu, model, {
      doubleQuant,
      positions,
      cache: await cache?.slot(model, doubleQuant),
      onProgress: (done, total) => {
        emit({ type: 'phase', phase: 'loading the base', done, total, unit: 'bytes' });
        signal.throwIfAborted();
      },
    }),
  );
  const stream = new Stream(gpu);
  const lora = await within(async () => new Lora(gpu, weights, model.config.layers, false));
  const evaluator = await within(async () => new Evaluator(stream, base, rows, rank, recipe));
  const onProgress = (done: number): void =>
    emit({ type: 'phase', phase: 'evaluating', done, total: rows.length, unit: 'rows' });
  return evaluator.evaluate(lora, onProgress, signal);
}
