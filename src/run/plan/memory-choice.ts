import { UserError } from '../../formats/user-error.ts';
import { PACKED_HEAD_ROWS } from '../../gpu/kernels/lm-head/packed.ts';
import { mib } from '../../gpu/memory.ts';
import {
  parseSaved,
  recomputed,
  SAVED,
  type SavedActivations,
  savedText,
  uniformlySaved,
} from '../../model/activation-checkpointing.ts';
import { activationAllocations } from '../../model/activations.ts';
import type { StateStorage } from '../../train/optimizer-state.ts';
import {
  checkpointBytes,
  memoryPlan,
  type MemoryPlanInput,
  packsHeadOf,
  showParts,
  totalBytes,
  trainingActivations,
} from './memory-plan.ts';

/** What depends on the available memory in a run; its numbers do not. */
export interface MemoryChoice {
  /** Level of each layer's saved activations, one digit each (model/activation-checkpointing.ts). */
  keep: string;
  optimizer: StateStorage;
}

/**
 * Maximum bytes of a run if no budget is given and the GPU's memory appears to be the host's. The smallest GPU that
 * the recipe targets has 4 GiB.
 */
export const DEFAULT_BUDGET_BYTES = 3.5 * 2 ** 30;

/** The input with this choice applied. */
export function withChoice<T extends MemoryPlanInput>(input: T, { keep, optimizer }: MemoryChoice): T {
  return { ...input, keep: parseSaved(keep), optimizer };
}

/** The choice that an input contains. */
export function choiceOf(input: MemoryPlanInput): MemoryChoice {
  const { keep, optimizer } = standardChoice(input);
  return { keep: input.keep ? savedText(input.keep) : keep, optimizer: input.optimizer ?? optimizer };
}

/** Device bytes with this choice, including what writing a checkpoint needs temporarily. */
function bytesOf(input: MemoryPlanInput, choice: MemoryChoice): number {
  const chosen = withChoice(input, choice);
  return totalBytes(memoryPlan(chosen)) + checkpointBytes(chosen);
}

const uniform = (
  { model }: MemoryPlanInput,
  level: SavedActivations,
  optimizer: StateStorage,
): MemoryChoice => ({
  keep: savedText(uniformlySaved(model.config.layers, level)),
  optimizer,
});

/** The default choice. */
export const standardChoice = (input: MemoryPlanInput): MemoryChoice =>
  uniform(input, SAVED.attention, 'resident');

/** Bytes with which nothing of a layer is recomputed. */
export const keptWhole = (input: MemoryPlanInput): number =>
  bytesOf(input, uniform(input, SAVED.all, 'resident'));

/** Bytes with which the head's table is packed besides, on subgroup matrices. */
export const keptWithPackedHead = (input: MemoryPlanInput): number =>
  keptWhole({ ...input, packedHead: true });

/**
 * Whether the budget leaves room beside this choice for packing the head's table, and a pass has the rows for which it
 * pays.
 */
export const roomForPackedHead = (input: MemoryPlanInput, choice: MemoryChoice, budget: number): boolean =>
  packsHeadOf(input.model) &&
  input.passTokens >= PACKED_HEAD_ROWS &&
  bytesOf({ ...input, packedHead: true }, choice) <= budget;

/** The choice that needs the least memory; paging needs buffers of its own, which few layers do not recoup. */
export function smallestChoice(input: MemoryPlanInput): MemoryChoice {
  const [resident, paged] = [uniform(input, SAVED.input, 'resident'), uniform(input, SAVED.input, 'paged')];
  return bytesOf(input, paged) < bytesOf(input, resident) ? paged : resident;
}

/**
 * The choice with the least recomputation within `budget` bytes; undefined if even the smallest choice takes more.
 */
export function fittingChoice(input: MemoryPlanInput, budget: number): MemoryChoice | undefined {
  // Paging the optimizer's state costs less time per byte than recomputing attention.
  const from = [standardChoice(input), smallestChoice(input)].find((c) => bytesOf(input, c) <= budget);
  if (!from) {
    return undefined;
  }
  const keep = fill(input, parseSaved(from.keep), budget - bytesOf(input, from));
  return { keep: savedText(keep), optimizer: from.optimizer };
}

/** Raises levels within `free` bytes, always choosing the one that saves most operations per byte. */
function fill(input: MemoryPlanInput, keep: SavedActivations[], free: number): SavedActivations[] {
  const rank = Math.max(...input.modules.map((m) => m.r));
  const cost = recomputed(input.model.config, rank, input.positions);
  const shape = trainingActivations(input);
  const size = (level: SavedActivations) =>
    Object.values(activationAllocations({ ...shape, keep: [level] }).kept[0]!).reduce(
      (sum, a) => sum + a.bytes,
      0,
    );
  const rises = Object.values(SAVED)
    .slice(1)
    .map((to) => {
      const from = (to - 1) as SavedActivations;
      const bytes = size(to) - size(from);
      return { from, to, bytes, worth: (cost[from] - cost[to]) / bytes };
    })
    .toSorted((a, b) => b.worth - a.worth);
  let left = free;
  for (;;) {
    const rise = rises.find(({ from, bytes }) => bytes <= left && keep.includes(from));
    if (!rise) {
      return keep;
    }
    keep[keep.indexOf(rise.from)] = rise.to;
    left -= rise.bytes;
  }
}

/**
 * The choice for a new run. `budget`: bytes it may take; `free`: bytes measured to be free, if no budget was given.
 * Without either, it uses up to DEFAULT_BUDGET_BYTES if it is to `fill` the memory, else it keeps the default choice: on a
 * software device, whose memory is the host's, and where a GPU's is not known yet. Throws UserError if the budget is too small for any choice.
 */
export function chooseMemory(
  input: MemoryPlanInput,
  { budget, free, fill }: { budget: number | undefined; free?: number | undefined; fill: boolean },
): MemoryChoice {
  const standard = standardChoice(input);
  if (budget !== undefined) {
    return fittingChoice(input, budget) ?? overBudget(input, budget);
  }
  if (free !== undefined) {
    return fittingChoice(input, free) ?? smallestChoice(input);
  }
  if (!fill || bytesOf(input, standard) > DEFAULT_BUDGET_BYTES) {
    return standard;
  }
  return fittingChoice(input, DEFAULT_BUDGET_BYTES) ?? standard;
}

/**
 * The choice of an earlier start if the budget allows it, otherwise a smaller one; the size of passes does not
 * change. Throws UserError.
 */
export function keepChoice(
  input: MemoryPlanInput,
  earlier: MemoryChoice,
  budget: number | undefined,
): MemoryChoice {
  if (budget === undefined || bytesOf(input, earlier) <= budget) {
    return earlier;
  }
  const smaller = fittingChoice(input, budget);
  if (smaller) {
    return smaller;
  }
  const fixed = `this run began with passes of ${input.passTokens} tokens, which its numbers depend on: allow more, resume on a GPU that has more, or start a new run`;
  return overBudget(input, budget, fixed);
}

/** Choices to try, in this order, if the device refuses one: each takes less than the one before. */
export function smallerChoices(input: MemoryPlanInput, refused: MemoryChoice): MemoryChoice[] {
  const standard = standardChoice(input);
  const halfway = (bytesOf(input, refused) + bytesOf(input, standard)) / 2;
  let least = bytesOf(input, refused);
  return [fittingChoice(input, halfway), standard, smallestChoice(input)].filter((choice) => {
    if (!choice || bytesOf(input, choice) >= least) {
      return false;
    }
    least = bytesOf(input, choice);
    return true;
  }) as MemoryChoice[];
}

function overBudget(
  input: MemoryPlanInput,
  budget: number,
  remedy = `lower training.max_seq_length or lora.r,${input.samples ? ' leave out sample_prompts,' : ''} or allow more`,
): never {
  const smallest = smallestChoice(input);
  throw new UserError(
    `Memory: ${mib(budget)} MiB are allowed, and this run needs at least ${mib(Math.ceil(bytesOf(input, smallest)))} MiB (${showParts(memoryPlan(withChoice(input, smallest)))}); ${remedy}.`,
  );
}
