import type { Heads } from '../kernels/attention/variant.ts';
import type { Precision } from '../kernels/linear/nf4-variant.ts';
import type { Shape } from './kernel-selection.ts';

/** What a run computes, as far as the choice of kernels depends on it. */
export interface Workload {
  precision: Precision;
  /** Shapes of its weights. */
  shapes: readonly Shape[];
  /** Width of the norms' rows and of the head's input. */
  width: number;
  /**
   * Vocabulary of the head's table, the maximum rows per chunk of logits, and whether there is memory for packing the
   * table.
   */
  head: { vocab: number; rows: number; packed?: boolean };
  attention: Heads;
  /** Maximum tokens per pass. */
  rows: number;
  /** Tokens of the longest row; a pass holds as many rows as fit. */
  longest: number;
  /** Rank of the LoRA pairs; 0 without an adapter. */
  rank: number;
  /** Bytes of the scratch that its products may pack their operands in. */
  scratch: number;
  /** Whether the scales are double-quantized. */
  nested: boolean;
}
