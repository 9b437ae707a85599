import { stateBits } from '../../formats/recipe/training.ts';
import type { Gpu } from '../../gpu/device.ts';
import { freeMemory } from '../../gpu/free-memory.ts';
import type { Precision } from '../../gpu/kernels/linear/nf4-variant.ts';
import { PACKED_HEAD_ROWS } from '../../gpu/kernels/lm-head/packed.ts';
import { savedFormatOf } from '../../model/activation-checkpointing.ts';
import { LOGIT_MIB } from '../../model/activations.ts';
import { choosePrecision, tunedKernels } from '../choose-kernels.ts';
import type { DeviceKey } from '../device-settings.ts';
import type { Prepared } from '../input/prepare.ts';
import type { FinetuneOptions } from '../options.ts';
import type { SessionInputs } from '../session.ts';
import { type ExecutionPlan, newExecutionPlanOf } from './execution-plan.ts';
import {
  chooseMemory,
  DEFAULT_BUDGET_BYTES,
  keptWhole,
  keptWithPackedHead,
  roomForPackedHead,
} from './memory-choice.ts';
import { largestInput, type PassInput, passInput, sizedInput } from './pass-size.ts';

type NewRun = SessionInputs & Pick<Prepared, 'windowTokens'>;

/**
 * The plan of a new run: pass size and saved activations by the memory given or free, then the fastest kernels for
 * passes of that size. Throws UserError if the given memory is too little, or the device lacks the precision.
 */
export async function newExecutionPlan(
  gpu: Gpu,
  prepared: NewRun,
  call: Pick<FinetuneOptions, DeviceKey | 'tuning' | 'emit'>,
): Promise<ExecutionPlan> {
  const precision = choosePrecision(gpu, call.precision ?? 'auto');
  const asked = passInputOf(prepared, precision);
  const { maxStorageBufferBindingSize } = gpu.device.limits;
  const { memory: budget, emit } = call;
  // The logits of so many rows are one binding.
  const packable =
    precision === 'matrix' &&
    4 * PACKED_HEAD_ROWS * prepared.model.config.vocabSize <= maxStorageBufferBindingSize;
  const largest = largestInput(asked, maxStorageBufferBindingSize);
  const most = packable ? keptWithPackedHead(largest) : keptWhole(largest);
  const known = budget !== undefined || gpu.software;
  const free = known
    ? undefined
    : await freeMemory(gpu, { most, ofHost: DEFAULT_BUDGET_BYTES }, (done, total) =>
        emit({ type: 'phase', phase: 'measuring memory', done, total, unit: 'bytes' }),
      );
  const bytes = budget ?? free;
  const input =
    bytes === undefined ? passInput(asked) : sizedInput(asked, bytes, maxStorageBufferBindingSize);
  const choice = chooseMemory(input, { budget, free, fill: !gpu.software });
  const packedHead = packable && bytes !== undefined && roomForPackedHead(input, choice, bytes);
  const products = await tunedKernels(gpu, prepared, input.passTokens, call, packedHead);
  return { ...newExecutionPlanOf(gpu, input.passTokens, products), ...choice };
}

/** What determines the pass size of a prepared run in this precision. */
export function passInputOf(
  { model, adapter, inputs, longest, windowTokens, stepTargets, samples }: NewRun,
  precision: Precision = 'f32',
): PassInput {
  return {
    model,
    doubleQuant: inputs.recipe.quantization.useDoubleQuant,
    modules: adapter.weights.map((w) => w.module),
    stateBits: stateBits(inputs.recipe.training),
    positions: longest,
    windowTokens,
    stepTargets,
    samples: samples?.shape,
    savedFormat: savedFormatOf(precision),
    logitMiB: LOGIT_MIB,
  };
}
