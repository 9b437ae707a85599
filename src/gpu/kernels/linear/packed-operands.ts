import matmul from '../../../../shaders/linear/matmul_packed.wgsl';
import packRowsText from '../../../../shaders/linear/pack_rows.wgsl';
import packWeightsText from '../../../../shaders/linear/pack_weights.wgsl';
import type { Gpu } from '../../device.ts';
import { ceilDiv } from '../../grid.ts';
import { Kernel, type ParamSpec } from '../../kernel.ts';
import { type BufferView, spanOf } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import type { MatrixShape, SubgroupMatrices } from '../../subgroup-matrices.ts';
import { PARTS } from '../shared/parts.ts';
import {
  largest,
  matrixHead,
  matrixText,
  type SubgroupGrid,
  type Tile,
} from '../shared/subgroup-matrix-kernels.ts';
import {
  type LinearWeight,
  type LoraFactor,
  nestedParams,
  weightBuffers,
  weightConstants,
} from './nf4-operands.ts';

/** The kernels' shaders. */
export const PACKED_TEXTS = { matmul, packRows: packRowsText, packWeights: packWeightsText };

/** Subgroups that share a tile; each computes 4 × 4 matrices. */
export const PACKED_GRID: SubgroupGrid = { down: 2, across: 2 };
export const GRID_NAME = `${PACKED_GRID.down}x${PACKED_GRID.across}`;

const matmulKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read_write'],
    params: {
      ...{ rows: 'u32', columns: 'u32', inner: 'u32', left_across: 'u32', right_across: 'u32' },
      ...{ stride: 'u32', first: 'u32', slice: 'u32', lora_from: 'u32', passed_over: 'u32' },
    } as const,
  });

const ROWS_PART = {
  ...{ width: 'u32', stride: 'u32', begin: 'u32' },
  ...{ count: 'u32', across: 'u32', tiles_at: 'u32', scales_at: 'u32', groups: 'u32' },
} as const satisfies ParamSpec;

const packRowsKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read_write'],
    parts: { fields: ROWS_PART, count: 2 * PARTS },
    params: { rows: 'u32' } as const,
  });

const WEIGHTS_PART = {
  ...{ out_features: 'u32', in_features: 'u32', rank: 'u32' },
  ...{ rows: 'u32', columns: 'u32', lora_from: 'u32', across: 'u32', skip: 'u32', put_at: 'u32' },
  ...{ absmax_at: 'u32', map_at: 'u32', nested_shift: 'u32', offset: 'f32' },
  ...{ lora_at: 'u32', tiles_at: 'u32', groups: 'u32' },
} as const satisfies ParamSpec;

const packWeightsKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
    parts: { fields: WEIGHTS_PART, count: PARTS },
    params: {},
  });

/** The kernels for packed operands on matrices of one shape. */
export interface PackedKernels {
  shape: MatrixShape;
  packRows: ReturnType<typeof packRowsKernel>;
  packWeights: ReturnType<typeof packWeightsKernel>;
  forward: ReturnType<typeof matmulKernel>;
  gradient: ReturnType<typeof matmulKernel>;
  /** Bytes of an operand's number. */
  halfBytes: number;
}

/** The kernels from their sources, the products' and those that pack. */
export function packedKernels(
  shape: MatrixShape,
  sources: { matmul: string; packRows: string; packWeights: string },
  halfBytes = 2,
): PackedKernels {
  const size = `${shape.M}x${shape.N}x${shape.K}`;
  return {
    shape,
    packRows: packRowsKernel(`pack_rows ${size}`, sources.packRows),
    packWeights: packWeightsKernel(`pack_weights ${size}`, sources.packWeights),
    forward: matmulKernel(`nf4_matmul_packed ${size} ${GRID_NAME}`, sources.matmul),
    gradient: matmulKernel(`nf4_matmul_grad_packed ${size} ${GRID_NAME}`, sources.matmul),
    halfBytes,
  };
}

/** The kernels' sources for such subgroup matrices. */
export function packedTexts(shape: MatrixShape, matrices: SubgroupMatrices) {
  const head = `enable f16;\n${matrixHead(shape, PACKED_GRID, matrices.subgroupSize)}`;
  return {
    matmul: matrixText(shape, PACKED_GRID, matrices, matmul, 'packed'),
    packRows: head + packRowsText,
    packWeights: head + packWeightsText,
  };
}

const made = new Map<string, PackedKernels>();

/** The kernels of a device that has subgroup matrices, created on first use. */
export function packedKernelsOf({ matrix }: Gpu): PackedKernels {
  const shape = largest(matrix!.shapes);
  const key = JSON.stringify([shape, matrix!.dialect, matrix!.subgroupSize, matrix!.sized]);
  let kernels = made.get(key);
  if (!kernels) {
    made.set(key, (kernels = packedKernels(shape, packedTexts(shape, matrix!))));
  }
  return kernels;
}

/** Sizes that the operands of a product are padded to; `edge`: of a right tile, see shaders/shared/packed_tiles.wgsl. */
export function packedTile({ shape: { M, N, K }, halfBytes }: PackedKernels) {
  const tile: Tile = { rows: 4 * M * PACKED_GRID.down, columns: 4 * N * PACKED_GRID.across };
  return { tile, edge: Math.max(N, K), K, halfBytes };
}

export const roundUp = (n: number, to: number): number => to * ceilDiv(n, to);

/** Columns of a left operand that are packed from one matrix. */
export interface PackedRows {
  /** f32 [rows, width], number `from` of each `stride` numbers on. */
  x: BufferView;
  width: number;
  stride?: number;
  from?: number;
  /** Columns of the operand: multiples of the matrices' K. */
  first: number;
  end: number;
  /** All columns of the operand, and where it begins in `packed`, in bytes. */
  inner: number;
  at: number;
  /** f32 [rows] */
  scales: BufferView;
}

/**
 * Packs `rows` rows of up to three matrices `wide` and of as many `narrow` ones, which are in one buffer, as are all
 * scales.
 */
export function packLeft(
  stream: Stream,
  kernels: PackedKernels,
  call: { wide: readonly PackedRows[]; narrow: readonly PackedRows[]; rows: number; packed: BufferView },
): void {
  const { wide, narrow, rows, packed } = call;
  const { M } = kernels.shape;
  const { tile, K, halfBytes } = packedTile(kernels);
  const all = [...wide, ...narrow];
  const quads = (M * K) / 4;
  const scales = spanOf(all.map((one) => one.scales));
  const some = all[0]!.x;
  const whole = narrow.length > 0 ? spanOf(narrow.map(({ x }) => x)) : { whole: some, at: [] };
  const part = (one: PackedRows, i: number, begin: number) => {
    const count = (one.end - one.first) / K;
    return {
      ...{ width: one.width, stride: one.stride ?? one.width, begin: begin + (one.from ?? 0) },
      ...{ count, across: one.inner / K, scales_at: scales.at[i]! / 4 },
      tiles_at: one.at / (4 * halfBytes) + (one.first / K) * quads,
      groups: ceilDiv(count * quads, 128),
    };
  };
  const none = { ...part({ ...all[0]!, end: all[0]!.first }, 0, 0), groups: 0 };
  const parts = [
    ...wide.map((one, i) => part(one, i, 0)),
    ...Array.from({ length: PARTS - wide.length }, () => none),
    ...narrow.map((one, i) => part(one, wide.length + i, whole.at[i]! / 4)),
  ];
  const [x0 = some, x1 = some, x2 = some] = wide.map(({ x }) => x);
  stream.dispatch(kernels.packRows, {
    buffers: [x0, x1, x2, whole.whole, scales.whole, packed],
    parts,
    params: { rows },
    groups: [parts.reduce((sum, { groups }) => sum + groups, 0), roundUp(rows, tile.rows) / M],
    bytes: all.reduce(
      (sum, { width, first, end }) => sum + (4 * width + halfBytes * (end - first)) * rows,
      0,
    ),
  });
}

/** A right operand that is packed from a weight. */
export interface PackedWeight {
  weight: LinearWeight;
  lora?: LoraFactor | undefined;
  /** Inner dimension without LoRA's ranks, and with them; output columns. */
  loraFrom: number;
  right: number;
  allColumns: number;
  /** Where it begins in `packed`, in bytes. */
  at: number;
  /** Of a weight in 16 bits, rows before its first; forward, its rows become output columns from `putAt` on. */
  skip?: number;
  putAt?: number;
}

/** Whether weights are stored alike, as `packRight` requires. */
export function storedAlike(weights: readonly LinearWeight[]): boolean {
  const [first, ...others] = weights.map(weightConstants);
  return others.every(({ NESTED, STORED }) => NESTED === first!.NESTED && STORED === first!.STORED);
}

/** Packs up to three weights that are stored alike, whose LoRA matrices are in one buffer; for dx = dy·w `transposed`. */
export function packRight(
  stream: Stream,
  kernels: PackedKernels,
  call: { weights: readonly PackedWeight[]; transposed: boolean; packed: BufferView },
): void {
  const { weights, transposed, packed } = call;
  const { edge, halfBytes } = packedTile(kernels);
  const adapted = weights.flatMap(({ lora }) => lora?.matrix ?? []);
  const bound = weights.map(({ weight }) => weightBuffers(weight));
  const [first, second = first!, third = first!] = bound;
  // Absent operands are bound to others and never read.
  const lora = adapted.length > 0 ? spanOf(adapted) : { whole: first![0], at: [] };
  let nextLora = 0;
  const parts = weights.map(({ weight, lora: own, loraFrom, right, allColumns, at, skip = 0, putAt = 0 }) => {
    const [rows, columns] = transposed ? [right, allColumns] : [allColumns - putAt, right];
    return {
      ...{ out_features: weight.columns, in_features: weight.depth, rank: own?.rank ?? 0 },
      ...{ rows, columns, lora_from: loraFrom, across: right / edge, skip, put_at: putAt },
      ...nestedParams(weight),
      ...{ lora_at: own ? lora.at[nextLora++]! / 4 : 0, tiles_at: at / (4 * halfBytes) },
      groups: ceilDiv(rows, 64),
    };
  });
  const groups = parts.reduce((sum, part) => sum + part.groups, 0);
  stream.dispatch(kernels.packWeights, {
    buffers: [first![0], second[0], third[0], first![1], second[1], third[1], lora.whole, packed],
    parts,
    params: {},
    groups: [groups, ceilDiv(Math.max(...parts.map(({ columns }) => columns)), 32)],
    constants: { ...weightConstants(weights[0]!.weight), TRANSPOSED: Number(transposed) },
    bytes: parts.reduce(
      (sum, { rows, columns }) => sum + halfBytes * rows * columns,
      bytesOf(bound, adapted),
    ),
  });
}

const bytesOf = (weights: readonly (readonly BufferView[])[], lora: readonly BufferView[]): number =>
  [...new Set([...weights.flat(), ...lora])].reduce((sum, { size }) => sum + size, 0);
