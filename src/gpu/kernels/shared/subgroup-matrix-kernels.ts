import packedByFlag from '../../../../shaders/shared/packed_matrix_by_flag.wgsl';
import attentionByFlag from '../../../../shaders/shared/packed_matrix_by_flag_with_weights.wgsl';
import packedByOrder from '../../../../shaders/shared/packed_matrix_by_order.wgsl';
import attentionByOrder from '../../../../shaders/shared/packed_matrix_by_order_with_weights.wgsl';
import byFlag from '../../../../shaders/shared/subgroup_matrix_by_flag.wgsl';
import byOrder from '../../../../shaders/shared/subgroup_matrix_by_order.wgsl';
import byOrderInHalves from '../../../../shaders/shared/subgroup_matrix_by_order_in_halves.wgsl';
import type { Gpu } from '../../device.ts';
import type { MatrixShape, SubgroupMatrices } from '../../subgroup-matrices.ts';

/** A workgroup's tile: rows and columns of the output. */
export interface Tile {
  rows: number;
  columns: number;
}

/** Nine storage buffers are one more than WebGPU guarantees. */
export const hasHalves = ({ device }: Gpu): boolean =>
  device.features.has('shader-f16') && device.limits.maxStorageBuffersPerShaderStage >= 9;

/** A grid of subgroups that share a workgroup's tiles; each computes 2 × 4 matrices. */
export interface SubgroupGrid {
  down: number;
  across: number;
}

export const GRIDS: readonly SubgroupGrid[] = [
  { down: 2, across: 2 },
  { down: 4, across: 2 },
];

/** Size of the tile of a workgroup with this grid. */
export const matrixTile = ({ M, N }: MatrixShape, { down, across }: SubgroupGrid): Tile => ({
  rows: 2 * M * down,
  columns: 4 * N * across,
});

/** Declarations that a source on subgroup matrices expects before it. */
export function matrixHead(
  { M, N, K }: MatrixShape,
  { down, across }: SubgroupGrid,
  subgroup: number,
): string {
  return `const M = ${M}; const N = ${N}; const K = ${K};
const SUBGROUP_SIZE = ${subgroup}u; const SUBGROUPS_M = ${down}u; const SUBGROUPS_N = ${across}u;
`;
}

const ENABLE = `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
`;
const ENABLE_SIZE = 'enable subgroup_size_control;\n';

/**
 * Where a kernel's operands are: in tiles in workgroup memory that it writes four halves at a time only, or single
 * ones too; or packed by tile in storage; or as attention's are.
 */
type Operands = 'quads' | 'halves' | 'packed' | 'attention';
const LOADS = {
  flag: { quads: byFlag, halves: byFlag, packed: packedByFlag, attention: attentionByFlag },
  order: { quads: byOrder, halves: byOrderInHalves, packed: packedByOrder, attention: attentionByOrder },
} as const;

/** The complete source of a kernel on subgroup matrices. */
export function matrixText(
  shape: MatrixShape,
  grid: SubgroupGrid,
  { dialect, subgroupSize, sized }: SubgroupMatrices,
  code: string,
  operands: Operands = 'quads',
): string {
  const text = matrixHead(shape, grid, subgroupSize) + LOADS[dialect][operands] + code;
  if (!sized) {
    return ENABLE + text;
  }
  return ENABLE + ENABLE_SIZE + text.replace('@compute', '@compute @subgroup_size(SUBGROUP_SIZE)');
}

/** One kernel per shape and dialect of a device, created on first use. */
export function matrixKernels<K>(
  name: string,
  code: string,
  grid: SubgroupGrid,
  make: (name: string, code: string) => K,
) {
  const made = new Map<string, K>();
  return (gpu: Gpu): { kernel: K; tile: Tile } => {
    const shape = largest(gpu.matrix!.shapes);
    const text = matrixText(shape, grid, gpu.matrix!, code);
    let kernel = made.get(text);
    if (!kernel) {
      const { M, N, K } = shape;
      kernel = make(`${name} ${M}x${N}x${K} ${grid.down}x${grid.across}`, text);
      made.set(text, kernel);
    }
    return { kernel, tile: matrixTile(shape, grid) };
  };
}

/** Larger matrices do more work for each load. */
export const largest = (shapes: readonly MatrixShape[]): MatrixShape =>
  shapes.reduce((best, shape) => (volume(shape) > volume(best) ? shape : best));
const volume = ({ M, N, K }: MatrixShape): number => M * N * K;

/** Whether the grid's workgroup fits the device: its threads, and its tiles plus the matrices being written out. */
export function matrixFits(gpu: Gpu, grid: SubgroupGrid): boolean {
  if (!gpu.matrix || !hasHalves(gpu)) {
    return false;
  }
  const shape = largest(gpu.matrix.shapes);
  const { rows, columns } = matrixTile(shape, grid);
  const subgroups = grid.down * grid.across;
  const bytes =
    2 * 40 * rows + 2 * Math.max(40 * columns, 32 * (columns + 8)) + 4 * shape.M * shape.N * subgroups + 64;
  const { limits } = gpu.device;
  return (
    bytes <= limits.maxComputeWorkgroupStorageSize &&
    // Each thread loads at least eight numbers of the right tile.
    subgroups * gpu.matrix.subgroupSize <= 4 * columns &&
    subgroups * gpu.matrix.subgroupSize <= limits.maxComputeInvocationsPerWorkgroup
  );
}
