import type { BaseModel } from '../formats/base-model.ts';
import { linearModules } from '../formats/decoder-weights.ts';
import type { Recipe } from '../formats/recipe.ts';
import { UserError } from '../formats/user-error.ts';
import { chooseKernels } from '../gpu/autotune/autotune.ts';
import { type PlannedKernels, supports } from '../gpu/autotune/kernel-selection.ts';
import type { Workload } from '../gpu/autotune/workload.ts';
import type { Gpu } from '../gpu/device.ts';
import { type Precision, PRECISIONS } from '../gpu/kernels/linear/nf4-variant.ts';
import { LOGIT_MIB, logitRows, scratchOf } from '../model/activations.ts';
import { weightStorage } from '../model/base/read/tensor-format.ts';
import type { RunStore } from './checkpoint/store.ts';
import type { Prepared } from './input/prepare.ts';
import type { FinetuneOptions } from './options.ts';
import { type ExecutionPlan, PLAN_VERSION } from './plan/execution-plan.ts';
import type { PrecisionChoice } from './precision.ts';

interface Prepare extends Pick<Prepared, 'model' | 'adapter' | 'longest'> {
  inputs: { recipe: Recipe };
}

/**
 * The fastest kernels of a new run's precision, for passes of up to `rows` tokens; `packedHead`: there is memory for
 * packing the head's table. Throws UserError if the device
 * lacks the precision.
 */
export async function tunedKernels(
  gpu: Gpu,
  prepared: Prepare,
  rows: number,
  { precision: choice = 'auto', tuning: cache, emit }: Pick<FinetuneOptions, 'precision' | 'tuning' | 'emit'>,
  packedHead = false,
): Promise<PlannedKernels> {
  const precision = choosePrecision(gpu, choice);
  const tiles = await chooseKernels(gpu, workload(prepared, rows, precision, packedHead), {
    cache,
    onProgress: (done, total) =>
      emit({ type: 'phase', phase: 'timing kernels', done, total, unit: 'kernels' }),
    note: (text) => emit({ type: 'note', text }),
  });
  return { precision, tiles };
}

/** The precision of a new run. Throws UserError if the device lacks the requested one. */
export function choosePrecision(gpu: Gpu, choice: PrecisionChoice): Precision {
  // On a CPU, f16 is slower than f32. Elsewhere the highest: the losses of each precision matched the reference's,
  // and the autotuner picks kernels of a lower precision if they are faster, or if the higher one's are wrong.
  if (choice === 'auto') {
    return gpu.software ? 'f32' : PRECISIONS.findLast((precision) => supports(gpu, precision))!;
  }
  if (supports(gpu, choice)) {
    return choice;
  }
  const others = PRECISIONS.filter((precision) => supports(gpu, precision)).join(' or ');
  throw new UserError(
    `Precision ${choice}: ${gpu.name} or its driver does not offer what it takes; choose auto or ${others}.`,
  );
}

/** What a run computes in passes of up to `rows` tokens, as far as the choice of kernels depends on it. */
export function workload(
  { model, adapter, inputs, longest }: Prepare,
  rows: number,
  precision: Precision,
  packedHead = false,
): Workload {
  const modules = linearModules(model.config);
  const shape = { config: model.config, tokens: rows, training: true, logitMiB: LOGIT_MIB };
  const { heads, kvHeads, headDim } = model.config;
  const storage = weightStorage(model, inputs.recipe.quantization.useDoubleQuant);
  return {
    precision,
    shapes: modules.map(({ shape: [columns, depth] }) => ({ columns, depth })),
    width: model.config.hiddenSize,
    head: {
      vocab: model.config.vocabSize,
      rows: logitRows({ ...shape, packedHead }),
      packed: packedHead,
    },
    attention: { heads, kvHeads, headDim },
    rows,
    longest,
    rank: Math.max(...adapter.weights.map(({ module }) => module.r)),
    scratch: scratchOf(shape),
    // Trials also stand for weights that stay in 16 bits: the products around the decoding are the same.
    nested: modules.map(storage).some((stored) => !stored.format && stored.nestedBlock !== undefined),
  };
}

/**
 * Throws UserError if a checkpoint's plan cannot be continued: its kernels are of another version, or the user
 * requests another precision.
 */
export function checkPlan(
  { name, startAgain }: RunStore,
  { version, precision }: { version: number; precision: Precision },
  choice: PrecisionChoice = 'auto',
): void {
  if (version !== PLAN_VERSION) {
    throw new UserError(
      `${name}: the unfinished run there was planned by another version of Retune, whose kernels round differently (plan ${version}, expected ${PLAN_VERSION}); finish it with that version, or ${startAgain}.`,
    );
  }
  if (choice !== 'auto' && choice !== precision) {
    throw new UserError(
      `${name}: the unfinished run there computes in precision ${precision} from its first step on, not ${choice}; resume in that precision, or ${startAgain}.`,
    );
  }
}

/** Whether earlier versions read different weights from this base. */
export const readsAsStored = ({ kept, untied }: Pick<BaseModel, 'kept' | 'untied'>): boolean =>
  kept.size > 0 || untied;

/** Throws UserError if a checkpoint's run read other weights from the base than this version does. */
export function checkReading(
  { name, startAgain }: Pick<RunStore, 'name' | 'startAgain'>,
  { asStored }: Pick<ExecutionPlan, 'asStored'>,
  base: Pick<BaseModel, 'kept' | 'untied'>,
): void {
  if (readsAsStored(base) && !asStored) {
    throw new UserError(
      `${name}: the unfinished run there was begun by an earlier version of Retune, which quantized or tied weights that this base holds otherwise; finish it with that version, or ${startAgain}.`,
    );
  }
}
