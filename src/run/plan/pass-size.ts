import { scratchBytes } from '../../model/activations.ts';
import { keptWhole } from './memory-choice.ts';
import type { MemoryPlanInput } from './memory-plan.ts';

/** Target tokens of a pass on every device: enough to keep a GPU busy, little enough to fit. */
const PASS_TOKENS = 1024;
/** Target if there is memory: fewer and larger dispatches, which leave less of a large GPU idle. */
const LARGER = [4096, 2048];

/** Maximum tokens of a pass, given the tokens of the longest row and of a step's rows together. */
export const passTokens = (longest: number, window: number, size = PASS_TOKENS): number =>
  Math.max(longest, Math.min(size, window));

/** Maximum tokens of the largest passes that a device with enough memory gets. */
export const mostPassTokens = (longest: number, window: number): number =>
  passTokens(longest, window, LARGER[0]);

/** What determines the size of passes: the memory plan's input without what follows from the size. */
export interface PassInput extends Omit<MemoryPlanInput, 'passTokens' | 'keep' | 'optimizer'> {
  /** Maximum tokens of a step. */
  windowTokens: number;
}

/** The memory plan's input for passes filled up to `size` tokens. */
export function passInput({ windowTokens, ...input }: PassInput, size = PASS_TOKENS): MemoryPlanInput {
  const tokens = passTokens(input.positions, windowTokens, size);
  return { ...input, passTokens: tokens, stepTargets: Math.max(input.stepTargets, tokens) };
}

/**
 * The input for the largest passes with which nothing of a layer is recomputed within `budget` bytes and whose
 * buffers can be bound: recomputation costs more than a large pass saves.
 */
export function sizedInput(input: PassInput, budget: number, bindingBytes: number): MemoryPlanInput {
  const larger = LARGER.map((size) => passInput(input, size));
  // Sample prompts change no number of a run, so neither may they change its passes.
  const needed = (one: MemoryPlanInput): number => keptWhole({ ...one, samples: undefined });
  return (
    larger.find(
      (one) => needed(one) <= budget && scratchBytes(one.model.config, one.passTokens) <= bindingBytes,
    ) ?? passInput(input)
  );
}

/** The input of a run that has all the memory it can use (see `keptWhole`). */
export const largestInput = (input: PassInput, bindingBytes: number): MemoryPlanInput =>
  sizedInput(input, Infinity, bindingBytes);
