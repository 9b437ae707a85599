import type { BufferView } from '../../memory.ts';
import { dropoutThreshold } from './dropout-mask.ts';

/** What a pass's masks depend on, besides the module's key. */
export interface Dropout {
  /** u32 [T, 2]: `dropoutKey` of the token's row, and its position in that row */
  tokenKeys: BufferView;
  /** Probability that a feature is dropped, in [0, 1) */
  rate: number;
}

/** Parameters of every kernel that applies dropout. */
export const maskParams = ({ rate }: { rate: number }) => ({
  threshold: dropoutThreshold(rate),
  scale: 1 / (1 - rate),
});

/** Constants and parameters of the mask, as the kernels take them. */
export const masking = (dropout: Dropout | undefined) => ({
  constants: { DROPOUT: Number(!!dropout) },
  params: maskParams({ rate: dropout?.rate ?? 0 }),
});
