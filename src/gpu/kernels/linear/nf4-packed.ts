import matmul from '../../../../shaders/linear/matmul_packed.wgsl';
import packRowsText from '../../../../shaders/linear/pack_rows.wgsl';
import packWeights from '../../../../shaders/linear/pack_weights.wgsl';
import type { Gpu } from '../../device.ts';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { type BufferView, view } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import type { MatrixShape, SubgroupMatrices } from '../../subgroup-matrices.ts';
import { rowScale } from '../shared/row-scale.ts';
import {
  GRIDS,
  largest,
  matrixFits,
  matrixHead,
  matrixText,
  type SubgroupGrid,
  type Tile,
} from '../shared/subgroup-matrix-kernels.ts';
import { HALF_FORWARD, HALF_GRAD } from './nf4-f16.ts';
import {
  type LinearWeight,
  type LoraFactor,
  nestedParams,
  type Nf4Matmul,
  type Nf4MatmulGrad,
  type SharedInput,
  weightBuffers,
  weightConstants,
} from './nf4-operands.ts';
import type { Nf4ForwardVariant, Nf4GradVariant } from './nf4-variant.ts';

/** The kernels' shaders. */
export const PACKED_TEXTS = { matmul, packRows: packRowsText, packWeights };

/** Subgroups that share a tile; each computes 4 × 4 matrices. */
export const PACKED_GRID: SubgroupGrid = { down: 2, across: 2 };
const GRID_NAME = `${PACKED_GRID.down}x${PACKED_GRID.across}`;

/** Rows from which decoding a weight once for all of them takes less time than once for each tile of rows. */
const PACKED_ROWS = 64;

const matmulKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read_write'],
    params: {
      ...{ rows: 'u32', columns: 'u32', inner: 'u32', left_across: 'u32', right_across: 'u32' },
      ...{ stride: 'u32', first: 'u32', slice: 'u32' },
    } as const,
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

const packRowsKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read_write'],
    params: {
      ...{ rows: 'u32', width: 'u32', stride: 'u32', begin: 'u32' },
      ...{ first: 'u32', count: 'u32', across: 'u32' },
    } as const,
  });

const packWeightsKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read_write'],
    params: {
      ...{ out_features: 'u32', in_features: 'u32', rank: 'u32' },
      ...{ rows: 'u32', columns: 'u32', lora_from: 'u32', across: 'u32', skip: 'u32', put_at: 'u32' },
      ...{ absmax_at: 'u32', map_at: 'u32', nested_shift: 'u32', offset: 'f32' },
    } as const,
  });

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
    packWeights: head + packWeights,
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

const tileOf = ({ M, N }: MatrixShape): Tile => ({
  rows: 4 * M * PACKED_GRID.down,
  columns: 4 * N * PACKED_GRID.across,
});

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;

/** Sizes of a product of packed operands. */
interface PackedSize {
  rows: number;
  /** Columns of the output, and numbers that each is a sum of, without LoRA's. */
  columns: number;
  inner: number;
  rank: number;
  /** Largest rank of the products that share the left operand. */
  sharedRank: number;
}

/** Numbers and bytes of packed operands. */
function layoutOf({ shape, halfBytes }: PackedKernels, size: PackedSize) {
  const { rows, columns, inner, rank, sharedRank } = size;
  const tile = tileOf(shape);
  // Of a right tile: see shaders/shared/packed_tiles.wgsl.
  const edge = Math.max(shape.N, shape.K);
  const loraFrom = roundUp(inner, edge);
  const right = loraFrom + roundUp(rank, edge);
  const left = loraFrom + roundUp(Math.max(rank, sharedRank), edge);
  const allColumns = roundUp(columns, tile.columns);
  return {
    ...{ tile, edge, loraFrom, right, left, allColumns },
    rightBytes: allColumns * right * halfBytes,
    /** Of the left operand: bytes of a tile's rows, and of all. */
    tileBytes: tile.rows * left * halfBytes,
    leftBytes: roundUp(rows, tile.rows) * left * halfBytes,
  };
}

type PackedLayout = ReturnType<typeof layoutOf>;

/** Sizes that the operands of a product are padded to. */
export const packedTile = ({ shape, halfBytes }: PackedKernels) => ({
  ...{ tile: tileOf(shape), edge: Math.max(shape.N, shape.K), K: shape.K, halfBytes },
});

/** Bytes of scratch with which a product's rows are all packed at once; 0 without subgroup matrices. */
export function packedBytes(gpu: Gpu, size: Omit<PackedSize, 'sharedRank'>): number {
  if (!gpu.matrix) {
    return 0;
  }
  const { leftBytes, rightBytes } = layoutOf(packedKernelsOf(gpu), { ...size, sharedRank: size.rank });
  return leftBytes + rightBytes;
}

/** A product of packed operands: y = x·wᵀ, or with `transposed` x·w, and what is added to it. */
interface PackedProduct {
  x: BufferView;
  weight: LinearWeight;
  transposed: boolean;
  lora: LoraFactor | undefined;
  y: BufferView;
  rows: number;
  bias?: BufferView | undefined;
  residual?: BufferView | undefined;
  accumulate: boolean;
  rowScales: BufferView;
  scratch: BufferView;
  shared?: SharedInput | undefined;
}

function sizeOf({ weight, transposed, rows, lora, shared }: Omit<PackedProduct, 'y'>): PackedSize {
  const { columns: out, depth } = weight;
  const [columns, inner] = transposed ? [depth, out] : [out, depth];
  const rank = lora?.rank ?? 0;
  return { rows, columns, inner, rank, sharedRank: shared?.rank ?? rank };
}

/** The part of an f32 matrix [·, width] that has `count` rows, from row `begin` on, a multiple of 64. */
const rowsOf = ({ buffer, offset }: BufferView, begin: number, count: number, width: number): BufferView =>
  view(buffer, offset + 4 * begin * width, 4 * count * width);

/** Packs the weight, then the rows, as many at once as the scratch holds, and multiplies. */
function multiply(
  stream: Stream,
  kernels: PackedKernels,
  kernel: PackedKernels['forward'],
  product: PackedProduct,
): void {
  const { x, y, rows, lora, bias, residual, rowScales, scratch, shared } = product;
  const size = sizeOf(product);
  const { columns, inner, rank } = size;
  const layout = layoutOf(kernels, size);
  const { tile, edge, right } = layout;
  const { K } = kernels.shape;
  if (!shared?.scaled) {
    rowScale(stream, { x, scales: rowScales, rows, width: inner });
  }
  // The rows come first, where products that share them find them whatever the size of their weights.
  const room = Math.min(
    scratch.size - layout.rightBytes,
    stream.gpu.device.limits.maxStorageBufferBindingSize,
  );
  const tiles = Math.floor(room / layout.tileBytes);
  const atOnce = Math.min(roundUp(rows, tile.rows), tiles * tile.rows);
  const leftBytes = (atOnce / tile.rows) * layout.tileBytes;
  const packedLeft = view(scratch.buffer, scratch.offset, leftBytes);
  const packedRight = view(scratch.buffer, scratch.offset + leftBytes, layout.rightBytes);
  const whole = atOnce >= rows;
  const packed = whole && shared?.packed;
  if (shared) {
    shared.scaled = true;
    shared.packed = whole;
  }
  packRight(stream, kernels, product, packedRight, layout);
  for (let begin = 0; begin < rows; begin += atOnce) {
    const count = Math.min(atOnce, rows - begin);
    const scales = rowsOf(rowScales, begin, count, 1);
    const pack = (part: BufferView, width: number, first: number, end: number) =>
      packLeft(stream, kernels, {
        ...{ x: rowsOf(part, begin, count, width), rows: count, width, stride: width, from: 0 },
        ...{ first, end, inner: layout.left, scales, packed: packedLeft },
      });
    if (!packed) {
      pack(x, inner, 0, layout.loraFrom);
    }
    if (lora) {
      pack(lora.activations, rank, layout.loraFrom, right);
    }
    const out = rowsOf(y, begin, count, columns);
    stream.dispatch(kernel, {
      buffers: [
        ...[packedLeft, packedRight, scales],
        // Absent operands are bound to the left one and never read.
        ...[bias ?? packedLeft, residual ? rowsOf(residual, begin, count, columns) : packedLeft, out],
      ],
      params: {
        ...{ rows: count, columns, inner: right / K },
        ...{ left_across: layout.left / K, right_across: right / edge, stride: columns, first: 0, slice: 0 },
      },
      constants: {
        ...{ HAS_BIAS: Number(!!bias), HAS_RESIDUAL: Number(!!residual) },
        ACCUMULATE: Number(product.accumulate),
      },
      groups: [layout.allColumns / tile.columns, ceilDiv(count, tile.rows)],
      work: 2 * count * columns * (inner + rank),
    });
  }
}

/**
 * Packs columns `first` … `end` of the left operand: x [rows, width], number `from` of each `stride` numbers on; `inner`
 * numbers a row in all.
 */
export function packLeft(
  stream: Stream,
  kernels: PackedKernels,
  call: {
    x: BufferView;
    rows: number;
    width: number;
    stride: number;
    from: number;
    /** Multiples of the matrices' K; by default all of `inner`. */
    first?: number;
    end?: number;
    inner: number;
    scales: BufferView;
    packed: BufferView;
  },
): void {
  const { x, rows, width, stride, from, inner, first = 0, end = inner, scales, packed } = call;
  const { M, K } = kernels.shape;
  stream.dispatch(kernels.packRows, {
    buffers: [x, scales, packed],
    params: {
      ...{ rows, width, stride, begin: from },
      ...{ first: first / K, count: (end - first) / K, across: inner / K },
    },
    groups: [ceilDiv(M * (end - first), 4 * 128), roundUp(rows, tileOf(kernels.shape).rows) / M],
    bytes: (4 * width + kernels.halfBytes * (end - first)) * rows,
  });
}

/**
 * Packs the right operand. Of a weight in 16 bits, without its first `skip` rows; forward, its rows become output columns
 * from `putAt` on.
 */
export function packRight(
  stream: Stream,
  kernels: PackedKernels,
  {
    weight,
    transposed,
    lora,
    rowScales,
  }: Pick<PackedProduct, 'weight' | 'transposed' | 'lora' | 'rowScales'>,
  packed: BufferView,
  layout: Pick<PackedLayout, 'loraFrom' | 'right' | 'allColumns' | 'edge'> & {
    skip?: number;
    putAt?: number;
  },
): void {
  const { loraFrom, right, allColumns, edge, skip = 0, putAt = 0 } = layout;
  const [rows, columns] = transposed ? [right, allColumns] : [allColumns - putAt, right];
  stream.dispatch(kernels.packWeights, {
    buffers: [...weightBuffers(weight), lora?.matrix ?? rowScales, packed],
    params: {
      ...{ out_features: weight.columns, in_features: weight.depth, rank: lora?.rank ?? 0 },
      ...{ rows, columns, lora_from: loraFrom, across: right / edge, skip, put_at: putAt },
      ...nestedParams(weight),
    },
    groups: [ceilDiv(rows, 64), ceilDiv(columns, 32)],
    constants: { ...weightConstants(weight), TRANSPOSED: Number(transposed) },
  });
}

const forwardProduct = ({ scratch, rowScales, ...call }: Nf4Matmul): PackedProduct => ({
  ...call,
  ...{ lora: call.lora, transposed: false, accumulate: false, rowScales: rowScales!, scratch: scratch! },
});

const gradProduct = ({ scratch, rowScales, dy, dx, ...call }: Nf4MatmulGrad): PackedProduct => ({
  ...call,
  ...{ x: dy, y: dx, lora: call.lora, transposed: true, rowScales: rowScales!, scratch: scratch! },
});

/** y = x·wᵀ … of packed operands. Requires `rowScales`, and `scratch` for the weight and one tile of rows. */
export const packedForward = (stream: Stream, kernels: PackedKernels, call: Nf4Matmul): void =>
  multiply(stream, kernels, kernels.forward, forwardProduct(call));

/** dx = dy·w … of packed operands, likewise. */
export const packedGrad = (stream: Stream, kernels: PackedKernels, call: Nf4MatmulGrad): void =>
  multiply(stream, kernels, kernels.gradient, gradProduct(call));

/** Whether it pays to pack the operands, and `scratch` bytes and the device have room for the weight. */
function packs(gpu: Gpu, size: PackedSize, scratch: number): boolean {
  if (size.rows < PACKED_ROWS) {
    return false;
  }
  const { rightBytes, tileBytes } = layoutOf(packedKernelsOf(gpu), size);
  return rightBytes + tileBytes <= scratch && rightBytes <= gpu.device.limits.maxStorageBufferBindingSize;
}

/** The same of a product that shares its input with none. */
export const packsWeight = (gpu: Gpu, size: Omit<PackedSize, 'sharedRank'>, scratch: number): boolean =>
  packs(gpu, { ...size, sharedRank: size.rank }, scratch);

/** Whether the device has what kernels on packed operands need. */
export function supportsPacked(gpu: Gpu): boolean {
  if (!matrixFits(gpu, GRIDS[0]!)) {
    return false;
  }
  const { M, N } = largest(gpu.matrix!.shapes);
  const { down, across } = PACKED_GRID;
  // The kernel's matrices on their way out.
  return 4 * 4 * M * N * down * across <= gpu.device.limits.maxComputeWorkgroupStorageSize;
}

/** The variants' name in execution plans. */
export const PACKED_NAME = `matrix packed ${GRID_NAME}`;

/** For short passes, and where there is no room for a weight: a variant that decodes as it multiplies. */
const fused = <V extends { name: string }>(variants: readonly V[]): V =>
  variants.find(({ name }) => name === `matrix ${GRIDS[0]!.down}x${GRIDS[0]!.across}`)!;

/** The forward variant that decodes a weight once for all rows of a pass. */
export const PACKED_FORWARD: readonly Nf4ForwardVariant[] = [
  {
    name: PACKED_NAME,
    precision: 'matrix',
    supported: supportsPacked,
    dispatch(stream, call) {
      if (packs(stream.gpu, sizeOf(forwardProduct(call)), call.scratch?.size ?? 0)) {
        packedForward(stream, packedKernelsOf(stream.gpu), call);
      } else {
        fused(HALF_FORWARD).dispatch(stream, call);
      }
    },
  },
];

/** The input-gradient variant that does. */
export const PACKED_GRAD: readonly Nf4GradVariant[] = [
  {
    name: PACKED_NAME,
    precision: 'matrix',
    supported: supportsPacked,
    dispatch(stream, call) {
      if (packs(stream.gpu, sizeOf(gradProduct(call)), call.scratch?.size ?? 0)) {
        packedGrad(stream, packedKernelsOf(stream.gpu), call);
      } else {
        fused(HALF_GRAD).dispatch(stream, call);
      }
    },
  },
];
