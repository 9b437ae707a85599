// References: T. Dettmers et al., "QLoRA", arXiv:2305.14314 (NF4); bitsandbytes, csrc/kernels.cu (quantization,
// packing).
import matvec from '../../../../shaders/linear/nf4_matvec.wgsl';
import quantize from '../../../../shaders/linear/nf4_quantize.wgsl';
import repack from '../../../../shaders/linear/nf4_repack.wgsl';
import { ceilDiv, spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { type FloatFormat, FORMAT_CODE } from '../shared/float-format.ts';
import { NF4_FORWARD, NF4_GRAD } from './index.ts';
import {
  FORWARD_PARAMS,
  nestedParams,
  type Nf4Matmul,
  type Nf4MatmulGrad,
  weightBuffers,
  weightConstants,
} from './nf4-operands.ts';
import type { Nf4ForwardVariant, Nf4GradVariant } from './nf4-variant.ts';

const matvecKernel = new Kernel({
  name: 'nf4_matvec',
  code: matvec,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
  params: FORWARD_PARAMS,
});

const quantizeKernel = new Kernel({
  name: 'nf4_quantize',
  code: quantize,
  buffers: ['read', 'read_write', 'read_write'],
  params: { blocks: 'u32', first_block: 'u32', out_features: 'u32', in_features: 'u32' },
});

const repackKernel = new Kernel({
  name: 'nf4_repack',
  code: repack,
  buffers: ['read', 'read_write'],
  params: { groups: 'u32', first_group: 'u32', out_features: 'u32', in_features: 'u32' },
});

/** Rows up to which the matrix-vector kernel is used. */
const MATVEC_ROWS = 8;

/** A product and its variant; the default if undefined. */
export interface ProductCall<Call, V> {
  readonly call: Call;
  readonly variant: V | undefined;
}

/** The products with the operands that their variants prepare for several at once. */
function withPrepared<Call, V extends { prepare?: Nf4ForwardVariant['prepare'] | Nf4GradVariant['prepare'] }>(
  stream: Stream,
  products: readonly ProductCall<Call, V>[],
): readonly ProductCall<Call, V>[] {
  const able = products.filter(({ variant }) => variant?.prepare);
  const variant = able[0]?.variant as { prepare(s: Stream, c: readonly Call[]): unknown[] | undefined };
  const prepared =
    able.length > 0
      ? variant.prepare(
          stream,
          able.map(({ call }) => call),
        )
      : undefined;
  return prepared
    ? products.map((one) => {
        const i = able.indexOf(one);
        return i < 0 ? one : { ...one, call: { ...one.call, prepared: prepared[i] } };
      })
    : products;
}

/** Products that share x, one after the other. */
export function nf4Matmuls(
  stream: Stream,
  products: readonly ProductCall<Nf4Matmul, Nf4ForwardVariant>[],
): void {
  for (const { call, variant } of withPrepared(stream, products)) {
    nf4Matmul(stream, call, variant);
  }
}

/** Gradients, one after the other; `after` follows each. */
export function nf4MatmulGrads(
  stream: Stream,
  products: readonly ProductCall<Nf4MatmulGrad, Nf4GradVariant>[],
  after: (index: number) => void,
): void {
  for (const [i, { call, variant }] of withPrepared(stream, products).entries()) {
    nf4MatmulGrad(stream, call, variant);
    after(i);
  }
}

/**
 * y = x·wᵀ + u·bᵀ + bias + residual, decoding w on the fly. Up to MATVEC_ROWS rows use the matrix-vector kernel
 * instead of `variant`.
 */
export function nf4Matmul(
  stream: Stream,
  call: Nf4Matmul,
  variant: Nf4ForwardVariant = NF4_FORWARD[0]!,
): void {
  const { x, weight, y, rows, lora, bias, residual } = call;
  if (rows > MATVEC_ROWS) {
    return variant.dispatch(stream, call);
  }
  const { columns, depth } = weight;
  stream.dispatch(matvecKernel, {
    // Absent operands are bound to x and never read.
    buffers: [
      ...[x, ...weightBuffers(weight), lora?.activations ?? x, lora?.matrix ?? x],
      ...[bias ?? x, residual ?? x, y],
    ],
    params: {
      rows,
      out_features: columns,
      in_features: depth,
      rank: lora?.rank ?? 0,
      has_bias: Number(!!bias),
      has_residual: Number(!!residual),
      ...nestedParams(weight),
    },
    groups: [ceilDiv(columns, 32)],
    constants: weightConstants(weight),
    work: 2 * rows * columns * (depth + (lora?.rank ?? 0)),
    bytes: matvecBytes(call),
  });
}

/** Bytes of the weight and of LoRA's, once, and of the rows, which may be fewer than their buffers hold. */
function matvecBytes({ weight, rows, lora, bias, residual }: Nf4Matmul): number {
  const { columns, depth } = weight;
  const weights = new Set(weightBuffers(weight));
  const { rank = 0 } = lora ?? {};
  const values = rows * (depth + rank + columns * (residual ? 2 : 1)) + columns * (rank + Number(!!bias));
  return [...weights].reduce((sum, { size }) => sum + size, 4 * values);
}

/** dx = (or +=) dy·w + v·a: the gradient of nf4Matmul with respect to x. */
export function nf4MatmulGrad(
  stream: Stream,
  call: Nf4MatmulGrad,
  variant: Nf4GradVariant = NF4_GRAD[0]!,
): void {
  variant.dispatch(stream, call);
}

/**
 * Quantizes consecutive blocks of 64 values, as bitsandbytes does: `source` holds `blocks`·64 values of the
 * row-major weight [N = columns, K = depth], starting at block `firstBlock`; writes their codes and their absmax
 * (f32 [N·K/64]).
 */
export function nf4Quantize(
  stream: Stream,
  call: {
    source: BufferView;
    format: FloatFormat;
    codes: BufferView;
    absmax: BufferView;
    blocks: number;
    firstBlock: number;
    columns: number;
    depth: number;
  },
): void {
  const { source, format, codes, absmax, blocks, firstBlock, columns, depth } = call;
  stream.dispatch(quantizeKernel, {
    buffers: [source, codes, absmax],
    params: { blocks, first_block: firstBlock, out_features: columns, in_features: depth },
    groups: spread(ceilDiv(blocks, 8)),
    constants: { FORMAT: FORMAT_CODE[format] },
  });
}

/** Reorders bitsandbytes' packed codes: `groups` groups of 32 codes, starting at group `firstGroup`. */
export function nf4Repack(
  stream: Stream,
  call: {
    source: BufferView;
    codes: BufferView;
    groups: number;
    firstGroup: number;
    columns: number;
    depth: number;
  },
): void {
  const { source, codes, groups, firstGroup, columns, depth } = call;
  stream.dispatch(repackKernel, {
    buffers: [source, codes],
    params: { groups, first_group: firstGroup, out_features: columns, in_features: depth },
    groups: spread(ceilDiv(groups, 64)),
  });
}
