import { type EvalLoss, Evaluator } from '../comparison/version-loss.ts';
import { readAdapter } from '../formats/adapter.ts';
import type { BaseModel } from '../formats/base-model.ts';
import type { ByteSource } from '../formats/byte-source.ts';
import { linearModules } from '../formats/decoder-weights.ts';
import type { TensorInfo } from '../formats/safetensors.ts';
import type { Gpu } from '../gpu/device.ts';
import { Stream } from '../gpu/stream.ts';
import { loadBase } from '../model/base/load.ts';
import { Lora } from '../model/lora.ts';
import { CURSOR, readCursor } from '../run/checkpoint/checkpoint.ts';
import type { RunEvent } from '../run/events.ts';
import { generationPlan, withinMemory } from '../run/plan/memory-plan.ts';
import type { RowsSource } from '../text/columns.ts';
import { wallClock } from '../text/moment.ts';
import { type EncodedRow, encodeRows } from '../text/rows.ts';
import { encodeFloats } from './pieces.ts';
import type { Source } from './source.ts';
import { columnsOf, type MergedTensor, mergedTensors, type RowReader, rowsOf } from './weights.ts';

/** The types of weights that the device can compute with as they are written. */
export type JudgedType = 'BF16' | 'F16';

/** The eval_loss of the same rows twice. */
export interface Losses {
  /** The adapter over the weights that training saw. */
  readonly trained: EvalLoss;
  /** The merged weights, as they are written. */
  readonly written: EvalLoss;
}

interface JudgeOptions {
  validation: RowsSource;
  type: JudgedType;
  /** A device for a while, which is closed after that. */
  withGpu: <T>(work: (gpu: Gpu) => Promise<T>) => Promise<T>;
  emit: (event: Extract<RunEvent, { type: 'phase' | 'note' }>) => void;
  signal: AbortSignal;
}

/** Evaluates what is exported on rows, before and after merging. Throws UserError. */
export async function lossesOf(source: Source, options: JudgeOptions): Promise<Losses> {
  const rows = await rowsOfRun(source, options);
  const { base, adapterFolder } = source;
  const { weights } = await readAdapter(adapterFolder, base.config);
  const trained = await options.withGpu((gpu) => lossOf(gpu, base, weights, rows, source, options));
  const merged = writtenModel(source, options.type);
  const written = await options.withGpu((gpu) => lossOf(gpu, merged, [], rows, source, options));
  return { trained, written };
}

async function rowsOfRun(
  { base, tokenizer, recipe, adapterFolder }: Source,
  { validation, emit, signal }: JudgeOptions,
): Promise<EncodedRow[]> {
  const cursor = (await adapterFolder.open(CURSOR)) && (await readCursor(adapterFolder));
  const { maxLength, maxEvalSamples } = recipe.training;
  const { rows, notes } = await encodeRows(validation, tokenizer, {
    maxLength: Math.min(maxLength, base.config.maxPositions),
    use: 'evaluate',
    moment: cursor?.plan.moment ?? wallClock(),
    onProgress: ({ bytesRead, bytesTotal }) => {
      emit({ type: 'phase', phase: 'tokenizing', done: bytesRead, total: bytesTotal, unit: 'bytes' });
      signal.throwIfAborted();
    },
  });
  for (const text of notes) {
    emit({ type: 'note', text });
  }
  return rows.slice(0, maxEvalSamples);
}

async function lossOf(
  gpu: Gpu,
  model: BaseModel,
  weights: ConstructorParameters<typeof Lora>[1],
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
  const base = await within(() =>
    loadBase(gpu, model, {
      doubleQuant,
      positions,
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

/** The merged model as the engine reads a base, none of it to be quantized; its weights are computed as they are read. */
function writtenModel(source: Source, type: JudgedType): BaseModel {
  const { base } = source;
  const tensors = new Map(mergedTensors(source).map((tensor) => [tensor.name, writtenTensor(tensor, type)]));
  return {
    ...base,
    tensors,
    quantized: false,
    nf4: new Map(),
    kept: new Set(linearModules(base.config).map(({ name }) => name)),
  };
}

function writtenTensor(tensor: MergedTensor, type: JudgedType): TensorInfo {
  const { name, shape } = tensor;
  const columns = columnsOf(shape);
  const rowBytes = 2 * columns;
  let opened: Promise<RowReader> | undefined;
  const source: ByteSource = {
    name,
    size: rowsOf(shape) * rowBytes,
    read: async (begin, into) => {
      const reader = await (opened ??= tensor.open());
      const end = begin + into.length;
      const first = Math.floor(begin / rowBytes);
      const bytes = encodeFloats(await reader(first, Math.ceil(end / rowBytes)), type, name);
      into.set(bytes.subarray(begin - first * rowBytes, end - first * rowBytes));
      if (end === source.size) {
        // What all of its rows needed is needed no more.
        opened = undefined;
      }
    },
  };
  return { name, dtype: type, shape, source, begin: 0, end: source.size };
}
