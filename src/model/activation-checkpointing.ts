// Reference: T. Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174.
import type { DecoderConfig } from '../formats/decoder-config.ts';
import type { Precision } from '../gpu/kernels/linear/nf4-variant.ts';
import { keyWidth, queryWidth } from './allocations.ts';

/**
 * What the backward pass finds saved of a layer, besides its input; each level includes the ones before it. The
 * rest is recomputed by the same kernels from the same numbers, so that all levels give the same bits.
 */
export const SAVED = {
  /** Nothing else. */
  input: 0,
  /** Attention output and softmax statistics. */
  attention: 1,
  /** q, k, v and the residual sum after o_proj, with x·Aᵀ of their inputs. */
  projections: 2,
  /** gate and up, with x·Aᵀ of the MLP's inputs: no product with a base weight remains to be repeated. */
  all: 3,
} as const;
export type SavedActivations = (typeof SAVED)[keyof typeof SAVED];

/**
 * How gate and up, the widest of what is saved, are rounded and saved: halves of f16. The rest stays in f32: the sums
 * along the residual stream reach thousands and are the base of every recomputation, and scores magnify what q and k
 * are off by.
 */
export type SavedFormat = 'f16';

/** That of a new run; products in f32 keep f32. */
export const savedFormatOf = (precision: Precision): SavedFormat | undefined =>
  precision === 'f32' ? undefined : 'f16';

/** The same level for every layer. */
export const uniformlySaved = (
  layers: number,
  level: SavedActivations = SAVED.attention,
): SavedActivations[] => Array<SavedActivations>(layers).fill(level);

/** One digit per layer, as execution plans store it. */
export const savedText = (keep: readonly SavedActivations[]): string => keep.join('');

export const parseSaved = (text: string): SavedActivations[] =>
  [...text].map((digit) => Number(digit) as SavedActivations);

/**
 * Floating-point operations per token that each level recomputes, for one layer. `rank`: of its LoRA pairs;
 * `tokens`: of a document, which attention depends on.
 */
export function recomputed(c: DecoderConfig, rank: number, tokens: number): Record<SavedActivations, number> {
  const [q, kv, hidden, mlp] = [queryWidth(c), keyWidth(c), c.hiddenSize, c.intermediateSize];
  const product = (depth: number, columns: number) => 2 * depth * columns;
  const lora = (depth: number, ...columns: number[]) =>
    columns.reduce((sum, n) => sum + product(depth, rank) + product(rank, n), 0);
  const qkv = product(hidden, q + 2 * kv) + lora(hidden, q, kv, kv);
  const output = product(q, hidden) + lora(q, hidden);
  const gateUp = product(hidden, 2 * mlp) + lora(hidden, mlp, mlp) + product(mlp, rank);
  // A causal token attends to half of its document on average: once for the scores, once for the values.
  const attention = 2 * product(q, tokens / 2);
  return {
    [SAVED.all]: 0,
    [SAVED.projections]: gateUp,
    [SAVED.attention]: gateUp + qkv + output,
    // q, k and v twice: the MLP's wide activations overwrite them in between.
    [SAVED.input]: gateUp + 2 * qkv + output + attention,
  };
}
