import {
  PACKED_ATTENTION_GRID,
  PACKED_ATTENTION_TEXTS,
  packedAttention,
} from '../../src/gpu/kernels/attention/packed-kernels.ts';
import { headDimText } from '../../src/gpu/kernels/attention/subgroup-matrix.ts';
import { PACKED_GRID, PACKED_TEXTS, packedKernels } from '../../src/gpu/kernels/linear/packed-operands.ts';
import {
  matrixHead,
  matrixTile,
  type SubgroupGrid,
  type Tile,
} from '../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts';
import type { MatrixShape } from '../../src/gpu/subgroup-matrices.ts';
import attentionPacked from './attention-packed-as-arrays.wgsl';
import type { TestGpu } from './gpu.ts';
import floats from './halves-as-floats.wgsl';
import arrays from './matrices-as-arrays.wgsl';
import packed from './packed-as-arrays.wgsl';

/** A kernel's text with floats for halves: its own logic runs where shader-f16 is missing. */
export const withoutHalves = (code: string): string => floats + code.replace('enable f16;', '');

/** The shape of the matrices that stand in for subgroup matrices: one of NVIDIA's, and not square. */
export const STAND_IN_SHAPE: MatrixShape = { M: 16, N: 8, K: 16 };

/** A matrix kernel's text with arrays for subgroup matrices and floats for halves. */
export const withoutMatrixUnits = (t: TestGpu, grid: SubgroupGrid, code: string): string =>
  `enable subgroups;\n${headOf(t, grid)}${floats}${arrays}${code}`;

function headOf(t: TestGpu, grid: SubgroupGrid): string {
  const { subgroupMinSize } = t.gpu.device.adapterInfo as GPUAdapterInfo & { subgroupMinSize: number };
  return matrixHead(STAND_IN_SHAPE, grid, subgroupMinSize);
}

/** The kernels for packed operands, likewise. */
export function packedWithoutMatrixUnits(t: TestGpu) {
  const head = headOf(t, PACKED_GRID) + floats;
  const { matmul, packRows, packWeights } = PACKED_TEXTS;
  const sources = {
    matmul: `enable subgroups;\n${head}${packed}${matmul}`,
    packRows: head + packRows,
    packWeights: head + packWeights,
  };
  return packedKernels(STAND_IN_SHAPE, sources, 4);
}

/** The kernels of attention with packed operands, likewise. */
export function packedAttentionWithoutMatrixUnits(t: TestGpu, headDim: number) {
  const head = headOf(t, PACKED_ATTENTION_GRID) + floats + headDimText(headDim);
  const text = (code: string) => `enable subgroups;\n${head}${attentionPacked}${code}`;
  const { pack, forward, backwardKV, backwardQ } = PACKED_ATTENTION_TEXTS;
  const sources = {
    pack: head + pack,
    forward: text(forward),
    backwardKV: text(backwardKV),
    backwardQ: text(backwardQ),
  };
  return packedAttention(STAND_IN_SHAPE, headDim, sources, 4);
}

/** The tile of a workgroup of such a kernel. */
export const standInTile = (grid: SubgroupGrid): Tile => matrixTile(STAND_IN_SHAPE, grid);
