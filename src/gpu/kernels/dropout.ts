import code from '../../../shaders/dropout_mask.wgsl?raw';
import { dropoutThreshold } from '../dropout.ts';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { View } from '../memory.ts';
import type { Stream } from '../stream.ts';

const kernel = new Kernel({
  name: 'dropout_mask',
  code,
  buffers: ['read', 'read', 'read_write'],
  params: {
    tokens: 'u32',
    width4: 'u32',
    moduleKey: 'u32',
    threshold: 'u32',
    scale: 'f32',
    accumulate: 'u32',
  },
});

export interface DropoutApply {
  /** [tokens, width] */
  x: View;
  /** [tokens, width]; another buffer than x */
  y: View;
  /** u32 [tokens, 2]: `dropoutKey` of the token's row, and its position in that row */
  tokenKeys: View;
  /** `moduleKey` of the LoRA module */
  moduleKey: number;
  tokens: number;
  /** A multiple of 4 */
  width: number;
  /** Chance of a feature to be dropped, in [0, 1) */
  rate: number;
  accumulate: boolean;
}

/** y = (or, with `accumulate`, +=) x·mask/(1 − rate), for x on its way into a LoRA module or its gradient back. */
export function dropoutApply(
  stream: Stream,
  { x, y, tokenKeys, moduleKey, tokens, width, rate, accumulate }: DropoutApply,
): void {
  stream.dispatch(kernel, {
    buffers: [x, tokenKeys, y],
    params: {
      tokens,
      width4: width / 4,
      moduleKey,
      threshold: dropoutThreshold(rate),
      scale: 1 / (1 - rate),
      accumulate: Number(accumulate),
    },
    groups: spread(ceilDiv(tokens * width, 256)),
  });
}
