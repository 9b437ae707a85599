import { PACKED_GRID, PACKED_TEXTS, packedKernels } from '../../src/gpu/kernels/linear/nf4-packed.ts';
import {
  matrixHead,
  matrixTile,
  type SubgroupGrid,
  type Tile,
} from '../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts';
import type { MatrixShape } from '../../src/gpu/subgroup-matrices.ts';
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

/** The tile of a workgroup of such a kernel. */
export const standInTile = (grid: SubgroupGrid): Tile => matrixTile(STAND_IN_SHAPE, grid);
