import { UserError } from '../../formats/user-error.ts';
import type { Gpu } from '../../gpu/device.ts';
import { openKernelPlan, type PlannedKernels, type KernelPlan } from '../../gpu/autotune/kernel-selection.ts';
import type { Moment } from '../../text/moment.ts';
import type { StateStorage } from '../../train/optimizer-state.ts';
import type { HeldBack } from '../input/hold-back.ts';

/**
 * Everything that may differ between two starts of the same run and changes rounding: decided once before step 1,
 * kept in every checkpoint, taken from there on resume.
 */
export interface ExecutionPlan extends PlannedKernels {
  version: 4;
  /** Rows of a step go into as few passes as fit, first fit in order. */
  packing: 'first-fit';
  /** Largest number of tokens of a pass. */
  passTokens: number;
  /** How much is kept of each layer, one digit each (model/activation-checkpointing.ts): the rest is computed again. */
  keep?: string | undefined;
  /** How rows to evaluate on were taken from the training data, where they were. */
  heldBack?: HeldBack | undefined;
  /** The current date for a chat template that writes it, where the base has one. */
  moment?: Moment | undefined;
  /**
   * Set where earlier versions read the base otherwise: they quantized what it keeps in 16 bits, and tied a head that
   * its files hold. A run of theirs cannot be continued to the same numbers.
   */
  asStored?: true | undefined;
  /** Where the optimizer's state lies. */
  optimizer?: StateStorage | undefined;
  /** Where the numbers were made: bits repeat on the same device and backend. */
  device: string;
}

/** The default variants of the lowest precision: what every device has. */
const PLAINEST: PlannedKernels = { precision: 'f32', tiles: {} };

/** Decides the plan of a new run, but for its memory. `passTokens`: the most of a pass. */
export function newExecutionPlanOf(gpu: Gpu, passTokens: number, products = PLAINEST): ExecutionPlan {
  return { version: 4, ...products, packing: 'first-fit', passTokens, device: gpu.name };
}

/** The plan's variants of the large products. Throws UserError where this device lacks one. */
export function openPlannedKernels(gpu: Gpu, plan: ExecutionPlan): KernelPlan {
  return openKernelPlan(gpu, plan, (missing) => {
    throw new UserError(
      `${gpu.name}: the run began on ${plan.device} with a kernel that this GPU or its driver does not offer (${missing}); go on with it there, or start a new run.`,
    );
  });
}
