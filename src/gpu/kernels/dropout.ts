import mask from '../../../shaders/dropout.wgsl?raw';
import code from '../../../shaders/dropout_add.wgsl?raw';
import { dropoutThreshold } from '../dropout.ts';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { View } from '../memory.ts';
import type { Stream } from '../stream.ts';

const kernel = new Kernel({
  name: 'dropout_add',
  code: code + mask,
  buffers: ['read', 'read', 'read_write'],
  params: { tokens: 'u32', width4: 'u32', module_key: 'u32', threshold: 'u32', scale: 'f32' },
});

/** What the masks of a pass are made of, beside a module's key. */
export interface Dropout {
  /** u32 [tokens, 2]: `dropoutKey` of the token's row, and its position in that row */
  tokenKeys: View;
  /** Chance of a feature to be dropped, in [0, 1) */
  rate: number;
}

/** The parameters of every kernel that masks. */
export const maskParams = ({ rate }: { rate: number }) => ({
  threshold: dropoutThreshold(rate),
  scale: 1 / (1 - rate),
});

export interface DropoutAdd extends Dropout {
  /** [tokens, width] */
  x: View;
  /** [tokens, width]; another buffer than x */
  y: View;
  /** `moduleKey` of the LoRA module */
  moduleKey: number;
  tokens: number;
  /** A multiple of 4 */
  width: number;
}

/** y += x·mask/(1 − rate): the gradient of what went into a LoRA module. */
export function dropoutAdd(
  stream: Stream,
  { x, y, tokenKeys, moduleKey, tokens, width, rate }: DropoutAdd,
): void {
  stream.dispatch(kernel, {
    buffers: [x, tokenKeys, y],
    params: { tokens, width4: width / 4, module_key: moduleKey, ...maskParams({ rate }) },
    groups: spread(ceilDiv(tokens * width, 256)),
  });
}
