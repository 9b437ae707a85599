// References: T. Dettmers et al., "8-bit Optimizers via Block-wise Quantization", arXiv:2110.02861; bitsandbytes,
// csrc/kernels.cu (kOptimizerStatic8bit2StateBlockwise); I. Loshchilov, F. Hutter, "Decoupled Weight Decay
// Regularization", arXiv:1711.05101.
import blockwise from '../../../../shaders/optimizer/adamw8bit.wgsl';
import small from '../../../../shaders/optimizer/adamw32.wgsl';
import { signedDynamicMap, unsignedDynamicMap } from '../../../formats/nf4.ts';
import { ceilDiv, spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';

/** Code of 0 in the signed map: the initial value of all of m. v starts as code 0; both absmax start at 0. */
export const initialMCode = 127;

/** Blocks that a workgroup processes one after another, as in adamw8bit.wgsl. */
const BLOCKS = 8;

const factorParams = {
  beta1: 'f32',
  oneMinusBeta1: 'f32',
  beta2: 'f32',
  oneMinusBeta2: 'f32',
  stepSize: 'f32',
  epsHat: 'f32',
  decay: 'f32',
} as const;

const blockwiseKernel = new Kernel({
  name: 'adamw8bit',
  code: blockwise,
  buffers: [
    'read_write',
    'read_write',
    'read_write',
    'read_write',
    'read_write',
    'read_write',
    'read',
    'read',
  ],
  params: { blocks: 'u32', ...factorParams },
});

const smallKernel = new Kernel({
  name: 'adamw32',
  code: small,
  buffers: ['read_write', 'read_write', 'read_write', 'read_write', 'read'],
  params: { count4: 'u32', ...factorParams },
});

export interface AdamwSettings {
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
}

/** Factors of a step, computed in f64 and rounded once to f32 for the device. */
interface AdamwFactors {
  readonly beta1: number;
  readonly oneMinusBeta1: number;
  readonly beta2: number;
  readonly oneMinusBeta2: number;
  /** learningRate·c2/c1 with c1 = 1 − beta1^step, c2 = √(1 − beta2^step) */
  readonly stepSize: number;
  /** c2·eps */
  readonly epsHat: number;
  /** 1 − learningRate·weightDecay */
  readonly decay: number;
}

/** The factors of a tensor's `step`-th step, counting from 1. */
export function adamwFactors(
  step: number,
  { learningRate, beta1, beta2, eps, weightDecay }: AdamwSettings,
): AdamwFactors {
  const c1 = 1 - beta1 ** step;
  const c2 = Math.sqrt(1 - beta2 ** step);
  return {
    beta1,
    oneMinusBeta1: 1 - beta1,
    beta2,
    oneMinusBeta2: 1 - beta2,
    stepSize: (learningRate * c2) / c1,
    epsHat: c2 * eps,
    decay: 1 - learningRate * weightDecay,
  };
}

/** The contents of `maps`: f32 [512], the signed map, then the unsigned one. */
export function adamwMaps(): Float32Array<ArrayBuffer> {
  return Float32Array.of(...signedDynamicMap(), ...unsignedDynamicMap());
}

/**
 * Weights and gradients of any number of tensors, flat f32. Each tensor starts at a multiple of 256 and is padded
 * with zeros to one, so that no block spans two tensors; the padding stays zero.
 */
interface Tensors {
  /** f32, updated in place */
  weights: BufferView;
  /** f32, cleared after use */
  grads: BufferView;
  /** f32 [4] of `gradNormFinish`: gradients are multiplied by [1]; unless [2] is 1, nothing is changed. */
  control: BufferView;
  factors: AdamwFactors;
}

export interface Adamw8bit extends Tensors {
  /** u8 codes [256·blocks] packed in u32, the first in the lowest byte */
  mCodes: BufferView;
  vCodes: BufferView;
  /** [blocks] */
  mAbsmax: BufferView;
  vAbsmax: BufferView;
  /** f32 [512] of `adamwMaps` */
  maps: BufferView;
  blocks: number;
}

/** One AdamW step over 256·blocks weights with blockwise 8-bit state, equal to bitsandbytes' paged_adamw_8bit. */
export function adamw8bit(stream: Stream, call: Adamw8bit): void {
  const { weights, grads, mCodes, vCodes, mAbsmax, vAbsmax, maps, control, blocks, factors } = call;
  stream.dispatch(blockwiseKernel, {
    buffers: [weights, grads, mCodes, vCodes, mAbsmax, vAbsmax, maps, control],
    params: { blocks, ...factors },
    groups: spread(ceilDiv(blocks, BLOCKS)),
  });
}

export interface Adamw32 extends Tensors {
  /** f32 [count], zeros before the first step */
  m: BufferView;
  v: BufferView;
  /** Length of every buffer in values, a multiple of 4 */
  count: number;
}

/** One AdamW step with f32 state: for all tensors with a 32-bit optimizer, else for those of fewer than 4096 values. */
export function adamw32(stream: Stream, { weights, grads, m, v, control, count, factors }: Adamw32): void {
  stream.dispatch(smallKernel, {
    buffers: [weights, grads, m, v, control],
    params: { count4: count / 4, ...factors },
    groups: spread(ceilDiv(count, 256)),
  });
}
