import { UserError } from '../../formats/user-error.ts';
import { mib } from '../../gpu/memory.ts';
import {
  SAVED,
  savedText,
  parseSaved,
  recomputed,
  uniformlySaved,
  type SavedActivations,
} from '../../model/activation-checkpointing.ts';
import { activationAllocations } from '../../model/activations.ts';
import type { StateStorage } from '../../train/optimizer-state.ts';
import {
  checkpointBytes,
  memoryPlan,
  showParts,
  totalBytes,
  trainingActivations,
  type MemoryPlanInput,
} from './memory-plan.ts';

/** What of a run depends on the memory there is; its numbers do not depend on it. */
export interface MemoryChoice {
  /** How much is kept of each layer, one digit each (model/activation-checkpointing.ts). */
  keep: string;
  optimizer: StateStorage;
}

/**
 * Bytes that a run takes at most where nobody told how many, and the GPU's memory seems to be the host's.
 * The smallest GPU that the recipe is meant for has 4 GiB.
 */
export const UNTOLD_BYTES = 3.5 * 2 ** 30;

/** The input with this choice in it. */
export function withChoice<T extends MemoryPlanInput>(input: T, { keep, optimizer }: MemoryChoice): T {
  return { ...input, keep: parseSaved(keep), optimizer };
}

/** The choice that an input has in it. */
export function choiceOf(input: MemoryPlanInput): MemoryChoice {
  const { keep, optimizer } = standardChoice(input);
  return { keep: input.keep ? savedText(input.keep) : keep, optimizer: input.optimizer ?? optimizer };
}

/** Bytes on the device with this choice, with what a checkpoint takes for a moment. */
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

/** The choice where nothing speaks for more or less. */
export const standardChoice = (input: MemoryPlanInput): MemoryChoice =>
  uniform(input, SAVED.attention, 'resident');

/** Bytes with which nothing of a layer need be computed again. */
export const keptWhole = (input: MemoryPlanInput): number =>
  bytesOf(input, uniform(input, SAVED.all, 'resident'));

/** The choice that takes the least memory; paging takes room of its own, which few layers do not win back. */
export function smallestChoice(input: MemoryPlanInput): MemoryChoice {
  const [resident, paged] = [uniform(input, SAVED.input, 'resident'), uniform(input, SAVED.input, 'paged')];
  return bytesOf(input, paged) < bytesOf(input, resident) ? paged : resident;
}

/** The least to be computed again within `budget` bytes; undefined where even the smallest choice takes more. */
export function fittingChoice(input: MemoryPlanInput, budget: number): MemoryChoice | undefined {
  // Paging the optimizer's state costs less time a byte than computing attention again.
  const from = [standardChoice(input), smallestChoice(input)].find((c) => bytesOf(input, c) <= budget);
  if (!from) return undefined;
  const keep = fill(input, parseSaved(from.keep), budget - bytesOf(input, from));
  return { keep: savedText(keep), optimizer: from.optimizer };
}

/** Raises levels within `free` bytes, always the one that saves most operations a byte. */
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
    if (!rise) return keep;
    keep[keep.indexOf(rise.from)] = rise.to;
    left -= rise.bytes;
  }
}

/**
 * What a new run begins with. `budget`: bytes that it may take; `free`: bytes that were seen to be free, where nobody
 * told. Without either it stays with the standard choice on a software device, where memory is the host's, and goes up
 * to UNTOLD_BYTES on others. Throws UserError where the budget is too small for any choice.
 */
export function chooseMemory(
  input: MemoryPlanInput,
  { budget, free, software }: { budget: number | undefined; free?: number | undefined; software: boolean },
): MemoryChoice {
  const standard = standardChoice(input);
  if (budget !== undefined) return fittingChoice(input, budget) ?? overBudget(input, budget);
  if (free !== undefined) return fittingChoice(input, free) ?? smallestChoice(input);
  if (software || bytesOf(input, standard) > UNTOLD_BYTES) return standard;
  return fittingChoice(input, UNTOLD_BYTES) ?? standard;
}

/**
 * The choice of an earlier start where the budget allows it, else a smaller one: passes stay as large as they were.
 * Throws UserError.
 */
export function keepChoice(
  input: MemoryPlanInput,
  earlier: MemoryChoice,
  budget: number | undefined,
): MemoryChoice {
  if (budget === undefined || bytesOf(input, earlier) <= budget) return earlier;
  const smaller = fittingChoice(input, budget);
  if (smaller) return smaller;
  const fixed = `this run began with passes of ${input.passTokens} tokens, which its numbers depend on: allow more, go on on a GPU that has more, or start a new run`;
  return overBudget(input, budget, fixed);
}

/** What to try, in this order, where the device refuses a choice: each takes less than the one before. */
export function smallerChoices(input: MemoryPlanInput, refused: MemoryChoice): MemoryChoice[] {
  const standard = standardChoice(input);
  const halfway = (bytesOf(input, refused) + bytesOf(input, standard)) / 2;
  let least = bytesOf(input, refused);
  return [fittingChoice(input, halfway), standard, smallestChoice(input)].filter((choice) => {
    if (!choice || bytesOf(input, choice) >= least) return false;
    least = bytesOf(input, choice);
    return true;
  }) as MemoryChoice[];
}

function overBudget(
  input: MemoryPlanInput,
  budget: number,
  remedy = 'lower training.max_seq_length or lora.r, or allow more',
): never {
  const smallest = smallestChoice(input);
  throw new UserError(
    `Memory: ${mib(budget)} MiB are allowed, and this run needs at least ${mib(Math.ceil(bytesOf(input, smallest)))} MiB (${showParts(memoryPlan(withChoice(input, smallest)))}); ${remedy}.`,
  );
}
