import backwardKV from '../../../../shaders/attention/attention_backward_kv_packed.wgsl';
import backwardQ from '../../../../shaders/attention/attention_backward_q_packed.wgsl';
import pack from '../../../../shaders/attention/attention_pack.wgsl';
import forward from '../../../../shaders/attention/attention_packed.wgsl';
import type { Gpu } from '../../device.ts';
import { Kernel, type ParamSpec } from '../../kernel.ts';
import type { MatrixShape, SubgroupMatrices } from '../../subgroup-matrices.ts';
import { largest, matrixText, type SubgroupGrid } from '../shared/subgroup-matrix-kernels.ts';
import { headDimText } from './subgroup-matrix.ts';

/** The kernels' shaders. */
export const PACKED_ATTENTION_TEXTS = { pack, forward, backwardKV, backwardQ };

/** Subgroups of a workgroup: each has a block of queries, or two a block of keys. */
export const SUBGROUPS = 4;

/** Operands that are packed at once: q, k, v and do. */
const OPERANDS_AT_ONCE = 4;

const PACK_PART = {
  ...{ heads: 'u32', group: 'u32', blocks: 'u32' },
  ...{ tiles_at: 'u32', columns_at: 'u32', scales_at: 'u32', natural: 'u32', columns: 'u32' },
} as const satisfies ParamSpec;

const packKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: [
      ...(['read', 'read', 'read', 'read', 'read', 'read'] as const),
      ...(['read_write', 'read_write', 'read_write'] as const),
    ],
    parts: { fields: PACK_PART, count: OPERANDS_AT_ONCE },
    params: { tokens: 'u32', first: 'u32' } as const,
  });

const forwardKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read_write', 'read_write'],
    params: {
      ...{ tokens: 'u32', heads: 'u32', kv_heads: 'u32', scale: 'f32', last_tile: 'u32', first: 'u32' },
      ...{ q_blocks: 'u32', k_blocks: 'u32', k_at: 'u32', v_at: 'u32', k_scales: 'u32', v_scales: 'u32' },
    } as const,
  });

const BACKWARD = {
  ...{ tokens: 'u32', heads: 'u32', kv_heads: 'u32', scale: 'f32', parts: 'u32', tile: 'u32', first: 'u32' },
  ...{ q_blocks: 'u32', k_blocks: 'u32', do_at: 'u32', k_at: 'u32', v_at: 'u32' },
  ...{ q_columns: 'u32', do_columns: 'u32', k_columns: 'u32' },
  ...{ do_scales: 'u32', k_scales: 'u32', v_scales: 'u32' },
} as const satisfies ParamSpec;

const keysKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read_write', 'read_write', 'read_write', 'read', 'read_write', 'read_write'],
    params: BACKWARD,
  });

const queriesKernel = (name: string, code: string) =>
  new Kernel({ name, code, buffers: ['read', 'read', 'read', 'read', 'read_write'], params: BACKWARD });

/** The kernels for heads of one width on matrices of one shape. */
export interface PackedAttention {
  readonly pack: ReturnType<typeof packKernel>;
  readonly forward: ReturnType<typeof forwardKernel>;
  readonly keys: ReturnType<typeof keysKernel>;
  readonly queries: ReturnType<typeof queriesKernel>;
  /** 2, or the size of whatever replaces f16. */
  readonly halfBytes: number;
}

type Sources = Record<keyof typeof PACKED_ATTENTION_TEXTS, string>;

/** The kernels from their sources. */
export function packedAttention(
  { M, N, K }: MatrixShape,
  headDim: number,
  sources: Sources,
  halfBytes = 2,
): PackedAttention {
  const of = `${M}x${N}x${K}, heads of ${headDim}`;
  return {
    pack: packKernel(`attention_pack, heads of ${headDim}`, sources.pack),
    forward: forwardKernel(`attention_packed ${of}`, sources.forward),
    keys: keysKernel(`attention_backward_kv_packed ${of}`, sources.backwardKV),
    queries: queriesKernel(`attention_backward_q_packed ${of}`, sources.backwardQ),
    halfBytes,
  };
}

/** The subgroups as a grid. */
export const PACKED_ATTENTION_GRID: SubgroupGrid = { down: SUBGROUPS, across: 1 };

/** The kernels' sources for such subgroup matrices. */
export function packedAttentionTexts(
  shape: MatrixShape,
  headDim: number,
  matrices: SubgroupMatrices,
): Sources {
  const head = headDimText(headDim);
  const text = (code: string) => matrixText(shape, PACKED_ATTENTION_GRID, matrices, head + code, 'attention');
  return {
    pack: `enable f16;\n${head}${pack}`,
    forward: text(forward),
    backwardKV: text(backwardKV),
    backwardQ: text(backwardQ),
  };
}

const made = new Map<string, PackedAttention>();

/** The kernels of a device that has subgroup matrices, created on first use. */
export function kernelsOf({ matrix }: Gpu, headDim: number): PackedAttention {
  const shape = largest(matrix!.shapes);
  const key = JSON.stringify([headDim, shape, matrix!.dialect, matrix!.subgroupSize, matrix!.sized]);
  let kernels = made.get(key);
  if (!kernels) {
    made.set(key, (kernels = packedAttention(shape, headDim, packedAttentionTexts(shape, headDim, matrix!))));
  }
  return kernels;
}
