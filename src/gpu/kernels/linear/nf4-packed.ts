import type { Gpu } from '../../device.ts';
import { ceilDiv } from '../../grid.ts';
import { type BufferView, view } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { rowScales, type ScaledRows } from '../shared/row-scale.ts';
import { GRIDS, largest, matrixFits } from '../shared/subgroup-matrix-kernels.ts';
import { HALF_FORWARD, HALF_GRAD } from './nf4-f16.ts';
import type {
  LinearWeight,
  LoraFactor,
  Nf4Matmul,
  Nf4MatmulGrad,
  PreparedOperands,
  SharedInput,
} from './nf4-operands.ts';
import type { Nf4ForwardVariant, Nf4GradVariant } from './nf4-variant.ts';
import {
  GRID_NAME,
  PACKED_GRID,
  type PackedKernels,
  packedKernelsOf,
  type PackedRows,
  packedTile,
  type PackedWeight,
  packLeft,
  packRight,
  roundUp,
  storedAlike,
} from './packed-operands.ts';

/** Rows from which decoding a weight once for all of them takes less time than once for each tile of rows. */
const PACKED_ROWS = 64;

/** Sizes of a product of packed operands. */
interface PackedSize {
  rows: number;
  /** Columns of the output, and numbers that each is a sum of, without LoRA's. */
  columns: number;
  inner: number;
  rank: number;
}

/** Numbers and bytes of packed operands. */
function layoutOf(kernels: PackedKernels, { rows, columns, inner, rank }: PackedSize) {
  const { tile, edge, K, halfBytes } = packedTile(kernels);
  const loraFrom = roundUp(inner, edge);
  const ranks = roundUp(rank, edge);
  const right = loraFrom + ranks;
  const allColumns = roundUp(columns, tile.columns);
  return {
    ...{ tile, edge, K, halfBytes, loraFrom, ranks, right, allColumns },
    rightBytes: allColumns * right * halfBytes,
    /** Of the left operand: bytes of a tile's rows, and of all. */
    tileBytes: tile.rows * right * halfBytes,
    leftBytes: roundUp(rows, tile.rows) * right * halfBytes,
  };
}

/** Bytes of scratch with which a product's rows are all packed at once; 0 without subgroup matrices. */
export function packedBytes(gpu: Gpu, size: PackedSize): number {
  if (!gpu.matrix) {
    return 0;
  }
  const { leftBytes, rightBytes } = layoutOf(packedKernelsOf(gpu), size);
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
  prepared?: PreparedOperands | undefined;
}

function sizeOf({ weight, transposed, rows, lora }: Omit<PackedProduct, 'y'>): PackedSize {
  const { columns: out, depth } = weight;
  const [columns, inner] = transposed ? [depth, out] : [out, depth];
  return { rows, columns, inner, rank: lora?.rank ?? 0 };
}

/** Bytes up to where the next view may begin. */
const align = (bytes: number): number => roundUp(bytes, 256);

/** The right operand of a product, at this place of its view. */
const weightOf = ({ weight, lora }: PackedProduct, layout: ReturnType<typeof layoutOf>, at: number) =>
  ({ weight, lora, ...layout, at }) satisfies PackedWeight;

/**
 * Packs the operands of products of the same rows: those that share x, one after the other in one left operand, or of a
 * single product each. Weights follow one by one where the scratch does not hold all. Undefined if it does not hold all
 * left operands and the largest weight.
 */
function prepareProducts(
  stream: Stream,
  kernels: PackedKernels,
  products: readonly PackedProduct[],
): PreparedOperands[] | undefined {
  const { rows, scratch, transposed, shared } = products[0]!;
  const layouts = products.map((product) => layoutOf(kernels, sizeOf(product)));
  const { tile, halfBytes } = layouts[0]!;
  const most = stream.gpu.device.limits.maxStorageBufferBindingSize;
  const wide: PackedRows[] = [];
  const narrow: PackedRows[] = [];
  const places: { left: number; bytes: number; across: number; passedOver: number }[] = [];
  let leftBytes = 0;
  // Products that share x have one left operand, others one each.
  const lefts = shared ? [products] : products.map((one) => [one]);
  let next = 0;
  for (const sharers of lefts) {
    const [{ x, rowScales: scales }] = sharers as [PackedProduct];
    const own = layouts.slice(next, next + sharers.length);
    next += sharers.length;
    const { loraFrom } = own[0]!;
    const inner = own.reduce((sum, { ranks }) => sum + ranks, loraFrom);
    const common = { inner, at: leftBytes, scales };
    const bytes = roundUp(rows, tile.rows) * inner * halfBytes;
    wide.push({ x, width: sizeOf(sharers[0]!).inner, first: 0, end: loraFrom, ...common });
    let first = loraFrom;
    sharers.forEach(({ lora }, i) => {
      const end = first + own[i]!.ranks;
      if (lora) {
        narrow.push({ x: lora.activations, width: lora.rank, first, end, ...common });
      }
      places.push({ left: leftBytes, bytes, across: inner, passedOver: first - loraFrom });
      first = end;
    });
    leftBytes += align(bytes);
  }
  const each = layouts.map(({ rightBytes }) => align(rightBytes));
  const sum = each.reduce((total, bytes) => total + bytes, 0);
  const [room, largestRight] = [scratch.size - leftBytes, Math.max(...each)];
  if (leftBytes > most || largestRight > Math.min(room, most)) {
    return undefined;
  }
  if (!shared?.scaled) {
    const parts = lefts.map(([one]): ScaledRows => {
      const { x, rowScales: scales } = one!;
      return { x, width: sizeOf(one!).inner, scales };
    });
    rowScales(stream, rows, parts);
  }
  if (shared) {
    shared.scaled = true;
  }
  packLeft(stream, kernels, { wide, narrow, rows, packed: view(scratch.buffer, scratch.offset, leftBytes) });
  const begin = scratch.offset + leftBytes;
  const together = sum <= Math.min(room, most) && storedAlike(products.map(({ weight }) => weight));
  const rights = each.map((_, i) =>
    together ? each.slice(0, i).reduce((total, bytes) => total + bytes, 0) : 0,
  );
  const weights = products.map((product, i) => weightOf(product, layouts[i]!, rights[i]!));
  const pack = (some: readonly PackedWeight[], bytes: number) =>
    packRight(stream, kernels, {
      ...{ weights: some, transposed, packed: view(scratch.buffer, begin, bytes) },
    });
  if (together) {
    pack(weights, sum);
  }
  return places.map(({ left, bytes, ...place }, i) => ({
    ...place,
    left: view(scratch.buffer, scratch.offset + left, bytes),
    right: view(scratch.buffer, begin + rights[i]!, layouts[i]!.rightBytes),
    packWeight: together ? undefined : () => pack([weights[i]!], each[i]!),
  }));
}

/** The part of an f32 matrix [·, width] that has `count` rows, from row `begin` on, a multiple of 64. */
const rowsOf = ({ buffer, offset }: BufferView, begin: number, count: number, width: number): BufferView =>
  view(buffer, offset + 4 * begin * width, 4 * count * width);

/** Packs the operands unless they are, and multiplies; the rows in parts where the scratch does not hold all. */
function multiply(
  stream: Stream,
  kernels: PackedKernels,
  kernel: PackedKernels['forward'],
  product: PackedProduct,
): void {
  const whole = product.prepared ?? prepareProducts(stream, kernels, [product])?.[0];
  if (whole) {
    whole.packWeight?.();
    multiplyRows(stream, kernels, kernel, product, whole);
    return;
  }
  const { x, y, rows, lora, residual, scratch, shared } = product;
  const size = sizeOf(product);
  const { columns, inner, rank } = size;
  const layout = layoutOf(kernels, size);
  const { tile, loraFrom, right, rightBytes } = layout;
  if (!shared?.scaled) {
    rowScales(stream, rows, [{ x, width: inner, scales: product.rowScales }]);
  }
  if (shared) {
    shared.scaled = true;
  }
  const most = stream.gpu.device.limits.maxStorageBufferBindingSize;
  const tiles = Math.floor(Math.min(scratch.size - rightBytes, most) / layout.tileBytes);
  const atOnce = Math.min(roundUp(rows, tile.rows), tiles * tile.rows);
  const leftBytes = (atOnce / tile.rows) * layout.tileBytes;
  const operands = {
    ...{ across: right, passedOver: 0, left: view(scratch.buffer, scratch.offset, leftBytes) },
    right: view(scratch.buffer, scratch.offset + leftBytes, rightBytes),
  };
  const { transposed } = product;
  packRight(stream, kernels, {
    ...{ weights: [weightOf(product, layout, 0)], transposed, packed: operands.right },
  });
  for (let begin = 0; begin < rows; begin += atOnce) {
    const count = Math.min(atOnce, rows - begin);
    const scales = rowsOf(product.rowScales, begin, count, 1);
    const common = { inner: right, at: 0, scales };
    const u = lora && rowsOf(lora.activations, begin, count, rank);
    packLeft(stream, kernels, {
      wide: [{ x: rowsOf(x, begin, count, inner), width: inner, first: 0, end: loraFrom, ...common }],
      narrow: u ? [{ x: u, width: rank, first: loraFrom, end: right, ...common }] : [],
      ...{ rows: count, packed: operands.left },
    });
    const part = {
      ...{ ...product, rows: count, rowScales: scales, y: rowsOf(y, begin, count, columns) },
      residual: residual && rowsOf(residual, begin, count, columns),
    };
    multiplyRows(stream, kernels, kernel, part, operands);
  }
}

/** Multiplies packed operands. */
function multiplyRows(
  stream: Stream,
  kernels: PackedKernels,
  kernel: PackedKernels['forward'],
  product: PackedProduct,
  { left, right, across, passedOver }: PreparedOperands,
): void {
  const { y, rows, bias, residual, accumulate } = product;
  const size = sizeOf(product);
  const { columns, inner, rank } = size;
  const layout = layoutOf(kernels, size);
  const { tile, edge, K } = layout;
  stream.dispatch(kernel, {
    // Absent operands are bound to the left one and never read.
    buffers: [left, right, product.rowScales, bias ?? left, residual ?? left, y],
    params: {
      ...{
        rows,
        columns,
        inner: layout.right / K,
        left_across: across / K,
        right_across: layout.right / edge,
      },
      ...{ stride: columns, first: 0, slice: 0, lora_from: layout.loraFrom / K, passed_over: passedOver / K },
    },
    constants: {
      ...{ HAS_BIAS: Number(!!bias), HAS_RESIDUAL: Number(!!residual), ACCUMULATE: Number(accumulate) },
    },
    groups: [layout.allColumns / tile.columns, ceilDiv(rows, tile.rows)],
    work: 2 * rows * columns * (inner + rank),
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

/** What the products of several weights need, packed; undefined where their scratch does not hold it. */
export const prepareForward = (stream: Stream, kernels: PackedKernels, calls: readonly Nf4Matmul[]) =>
  prepareProducts(stream, kernels, calls.map(forwardProduct));
export const prepareGrad = (stream: Stream, kernels: PackedKernels, calls: readonly Nf4MatmulGrad[]) =>
  prepareProducts(stream, kernels, calls.map(gradProduct));

/** y = x·wᵀ … of packed operands. Requires `rowScales`, and `scratch` for the weight and one tile of rows. */
export const packedForward = (stream: Stream, kernels: PackedKernels, call: Nf4Matmul): void =>
  multiply(stream, kernels, kernels.forward, forwardProduct(call));

/** dx = dy·w … of packed operands, likewise. */
export const packedGrad = (stream: Stream, kernels: PackedKernels, call: Nf4MatmulGrad): void =>
  multiply(stream, kernels, kernels.gradient, gradProduct(call));

/** Whether it pays to pack the operands, and `scratch` bytes and the device have room for the weight. */
export function packsWeight(gpu: Gpu, size: PackedSize, scratch: number): boolean {
  if (size.rows < PACKED_ROWS) {
    return false;
  }
  const { rightBytes, tileBytes } = layoutOf(packedKernelsOf(gpu), size);
  return rightBytes + tileBytes <= scratch && rightBytes <= gpu.device.limits.maxStorageBufferBindingSize;
}

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

const maybePacked = ({ rows, scratch }: Pick<Nf4Matmul, 'rows' | 'scratch'>): boolean =>
  rows >= PACKED_ROWS && scratch !== undefined;

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
    prepare: (stream, calls) =>
      maybePacked(calls[0]!) ? prepareForward(stream, packedKernelsOf(stream.gpu), calls) : undefined,
    dispatch(stream, call) {
      if (packsWeight(stream.gpu, sizeOf(forwardProduct(call)), call.scratch?.size ?? 0)) {
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
    prepare: (stream, calls) =>
      maybePacked(calls[0]!) ? prepareGrad(stream, packedKernelsOf(stream.gpu), calls) : undefined,
    dispatch(stream, call) {
      if (packsWeight(stream.gpu, sizeOf(gradProduct(call)), call.scratch?.size ?? 0)) {
        packedGrad(stream, packedKernelsOf(stream.gpu), call);
      } else {
        fused(HALF_GRAD).dispatch(stream, call);
      }
    },
  },
];
