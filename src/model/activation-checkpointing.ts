import type { DecoderConfig } from '../formats/decoder-config.ts';
import { keyWidth, queryWidth } from './allocations.ts';

/**
 * What the backward pass finds of a layer, beyond its input; each level includes those before it. What is not kept
 * is computed again by the same kernels from the same numbers, so that all levels give the same bits.
 */
export const SAVED = {
  /** Nothing more. */
  input: 0,
  /** Attention output and softmax statistics. */
  attention: 1,
  /** q, k, v and the sum behind o_proj, with what LoRA's A makes of their inputs. */
  projections: 2,
  /** gate and up, and what LoRA's A makes of the inputs of the MLP: no product with a weight is left to repeat. */
  all: 3,
} as const;
export type SavedActivations = (typeof SAVED)[keyof typeof SAVED];

/** The level of every layer where nothing else is said. */
export const uniformlySaved = (
  layers: number,
  level: SavedActivations = SAVED.attention,
): SavedActivations[] => Array<SavedActivations>(layers).fill(level);

/** One digit a layer, as the run plan writes it. */
export const savedText = (keep: readonly SavedActivations[]): string => keep.join('');

export const parseSaved = (text: string): SavedActivations[] =>
  [...text].map((digit) => Number(digit) as SavedActivations);

/**
 * Floating-point operations that a token costs again at each level, for one layer. `rank`: of its LoRA pairs;
 * `tokens`: of a document, on which attention depends.
 */
export function recomputed(c: DecoderConfig, rank: number, tokens: number): Record<SavedActivations, number> {
  const [q, kv, hidden, mlp] = [queryWidth(c), keyWidth(c), c.hiddenSize, c.intermediateSize];
  const product = (depth: number, columns: number) => 2 * depth * columns;
  const lora = (depth: number, ...columns: number[]) =>
    columns.reduce((sum, n) => sum + product(depth, rank) + product(rank, n), 0);
  const qkv = product(hidden, q + 2 * kv) + lora(hidden, q, kv, kv);
  const output = product(q, hidden) + lora(q, hidden);
  const gateUp = product(hidden, 2 * mlp) + lora(hidden, mlp, mlp) + product(mlp, rank);
  // A causal token attends to half of its document on average, once for the scores and once for the values.
  const attention = 2 * product(q, tokens / 2);
  return {
    [SAVED.all]: 0,
    [SAVED.projections]: gateUp,
    [SAVED.attention]: gateUp + qkv + output,
    // q, k and v twice: the MLP's wide activations take their place in between.
    [SAVED.input]: gateUp + 2 * qkv + output + attention,
  };
}
