import code from '../../../../shaders/lora/lora_input_grad.wgsl';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { type Dropout, maskParams } from './dropout.ts';

const kernel = new Kernel({
  name: 'lora_input_grad',
  code,
  buffers: ['read', 'read', 'read', 'read_write'],
  params: {
    ...{ rows: 'u32', width: 'u32', rank: 'u32', module_key: 'u32' },
    ...{ threshold: 'u32', scale: 'f32' },
  },
});

/** Rows and columns of a workgroup's tile. */
const TILE = 64;

/** dx += mask∘(v·A)/(1 − rate): the input gradient of a LoRA module under dropout. Sums in a fixed order. */
export function loraInputGrad(
  stream: Stream,
  call: Dropout & {
    /** f32 [rows, r] */
    v: BufferView;
    /** f32 [r, width] */
    A: BufferView;
    /** f32 [rows, width] */
    dx: BufferView;
    /** `moduleKey` of the LoRA module */
    moduleKey: number;
    rows: number;
    rank: number;
    /** A multiple of 4 */
    width: number;
  },
): void {
  const { v, A, tokenKeys, dx, moduleKey, rows, rank, width } = call;
  stream.dispatch(kernel, {
    buffers: [v, A, tokenKeys, dx],
    params: { rows, width: width / 4, rank, module_key: moduleKey, ...maskParams(call) },
    groups: [ceilDiv(width, TILE), ceilDiv(rows, TILE)],
    work: 2 * rows * width * rank,
  });
}
