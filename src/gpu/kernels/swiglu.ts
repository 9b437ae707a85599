// Reference: N. Shazeer, "GLU Variants Improve Transformer", arXiv:2002.05202.
import forward from '../../../shaders/swiglu.wgsl';
import backward from '../../../shaders/swiglu_backward.wgsl';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { BufferView } from '../memory.ts';
import type { Stream } from '../stream.ts';

/** Values per workgroup: 256 threads of 4. */
const PER_GROUP = 1024;

const forwardKernel = new Kernel({
  name: 'swiglu',
  code: forward,
  buffers: ['read', 'read', 'read_write'],
  params: { n4: 'u32' },
});

const backwardKernel = new Kernel({
  name: 'swiglu_backward',
  code: backward,
  buffers: ['read_write', 'read_write', 'read'],
  params: { n4: 'u32' },
});

/** out = silu(gate)·up, each f32 [n]; n is a multiple of 4. */
export function swiglu(
  stream: Stream,
  { gate, up, out, n }: { gate: BufferView; up: BufferView; out: BufferView; n: number },
): void {
  stream.dispatch(forwardKernel, {
    buffers: [gate, up, out],
    params: { n4: n / 4 },
    groups: spread(ceilDiv(n, PER_GROUP)),
    bytes: 12 * n,
  });
}

/** Replaces gate and up [n] by the gradients of swiglu with respect to them, given dout [n]; n is a multiple of 4. */
export function swigluBackward(
  stream: Stream,
  { gate, up, dout, n }: { gate: BufferView; up: BufferView; dout: BufferView; n: number },
): void {
  stream.dispatch(backwardKernel, {
    buffers: [gate, up, dout],
    params: { n4: n / 4 },
    groups: spread(ceilDiv(n, PER_GROUP)),
  });
}
