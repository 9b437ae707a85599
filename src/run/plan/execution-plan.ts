import { UserError } from '../../formats/user-error.ts';
import { type KernelPlan, openKernelPlan, type PlannedKernels } from '../../gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../../gpu/device.ts';
import { type SavedFormat, savedFormatOf } from '../../model/activation-checkpointing.ts';
import { LOGIT_MIB } from '../../model/activations.ts';
import type { Moment } from '../../text/moment.ts';
import type { StateStorage } from '../../train/optimizer-state.ts';
import type { HeldBack } from '../input/hold-back.ts';

/** Raised when kernels round differently than those of earlier versions, whose unfinished runs are then refused. */
export const PLAN_VERSION = 4;

/**
 * Everything that may differ between two starts of the same run and affects rounding: decided once before step 1,
 * stored in every checkpoint, and taken from there on resume.
 */
export interface ExecutionPlan extends PlannedKernels {
  version: typeof PLAN_VERSION;
  /** Rows of a step are packed into as few passes as fit, first fit in order. */
  packing: 'first-fit';
  /** Maximum tokens of a pass. */
  passTokens: number;
  /**
   * Level of each layer's saved activations, one digit each (model/activation-checkpointing.ts); the rest is
   * recomputed.
   */
  keep?: string | undefined;
  /**
   * How gate and up are rounded and saved for the backward pass; absent in f32 and in the plans of versions until
   * 2026-11-30, which saved them in f32.
   */
  savedFormat?: SavedFormat | undefined;
  /**
   * MiB of logits computed at once: up to eight rows that are left of a pass have a kernel of their own, which rounds
   * differently. Absent in the plans of versions until 2026-11-30.
   */
  logitMiB?: number | undefined;
  /** How rows for evaluation were held back from the training data, if they were. */
  heldBack?: HeldBack | undefined;
  /** The current date for a chat template that writes it, if the base has one. */
  moment?: Moment | undefined;
  /**
   * Set where earlier versions read the base differently: they quantized what it keeps in 16 bits, and tied a head
   * that its files hold. Their runs cannot be resumed to the same numbers.
   */
  asStored?: true | undefined;
  /** Where the optimizer's state is kept. */
  optimizer?: StateStorage | undefined;
  /** The device that computed the numbers: bits are reproducible on the same device and backend. */
  device: string;
}

/** The default variants of the lowest precision, which every device supports. */
const PLAINEST: PlannedKernels = { precision: 'f32', tiles: {} };

/** Decides the plan of a new run, except for memory. `passTokens`: maximum tokens of a pass. */
export function newExecutionPlanOf(gpu: Gpu, passTokens: number, products = PLAINEST): ExecutionPlan {
  const always = {
    version: PLAN_VERSION,
    gathered: true,
    savedFormat: savedFormatOf(products.precision),
    logitMiB: LOGIT_MIB,
    packing: 'first-fit',
  } as const;
  return { ...products, ...always, passTokens, device: gpu.name };
}

/** The plan's kernel variants. Throws UserError if this device lacks one. */
export function openPlannedKernels(gpu: Gpu, plan: ExecutionPlan): KernelPlan {
  return openKernelPlan(gpu, plan, (missing) => {
    throw new UserError(
      `${gpu.name}: the run began on ${plan.device} with a kernel that this GPU or its driver does not offer (${missing}); resume it there, or start a new run.`,
    );
  });
}
