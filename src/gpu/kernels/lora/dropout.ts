import { dropoutThreshold } from './dropout-mask.ts';
import type { BufferView } from '../../memory.ts';

/** What the masks of a pass are made of, beside a module's key. */
export interface Dropout {
  /** u32 [tokens, 2]: `dropoutKey` of the token's row, and its position in that row */
  tokenKeys: BufferView;
  /** Chance of a feature to be dropped, in [0, 1) */
  rate: number;
}

/** The parameters of every kernel that masks. */
export const maskParams = ({ rate }: { rate: number }) => ({
  threshold: dropoutThreshold(rate),
  scale: 1 / (1 - rate),
});
