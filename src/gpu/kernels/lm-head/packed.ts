import { ceilDiv } from '../../grid.ts';
import { type BufferView, view } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import type { DenseFormat, DenseWeight } from '../linear/nf4-operands.ts';
import { type PackedKernels, packedTile, packLeft, packRight, roundUp } from '../linear/packed-operands.ts';
import { rowScale } from '../shared/row-scale.ts';
import { sumSlices } from '../shared/sum-slices.ts';
import type { Table } from './lm-head.ts';
import type { HeadBackward, HeadForward } from './subgroup-matrix.ts';

/** Rows of a chunk of logits for which the table is packed: enough to outweigh its being written and read once more. */
export const PACKED_HEAD_ROWS = 512;

/** Rows up to which a chunk has the kernels that decode the table a tile at a time. */
export const UNPACKED_HEAD_ROWS = 128;

/** Rows of the table that are packed at once: 24 MiB of 1.5B's, which many GPUs keep in a cache. */
const SLAB = 8192;

/** Parts of a slab that the gradient sums up apart, so that its small output has enough workgroups. */
const SLICES = 4;

/** Values of the gradient's partial sums, as `HeadBackward`'s scratch. */
export const packedHeadScratch = (rows: number, width: number): number => SLICES * rows * width;

/** Bytes that hold the packed operands of either product, whatever the device's matrices. */
export function packedHeadBytes({ vocab, width }: Pick<Table, 'vocab' | 'width'>): number {
  const slab = Math.min(SLAB, roundUp(vocab, 256));
  const rows = PACKED_HEAD_ROWS;
  const across = roundUp(width, 128);
  return 2 * (slab * across + rows * Math.max(slab, across));
}

/** Whether a table can be packed: one of 32-bit values would lose half of their bits; logits are written by fours. */
export const packsTable = ({ vocab, format }: Pick<Table, 'vocab' | 'format'>): boolean =>
  format !== 'f32' && vocab % 4 === 0;

/** Whether the table is packed for so many rows. */
export const packsHead = (table: Table, rows: number, packed: BufferView | undefined): packed is BufferView =>
  packed !== undefined && rows > UNPACKED_HEAD_ROWS && packsTable(table);

/** Rows of one part of the table: how many, from which of the vocabulary and of the part on. */
interface Piece {
  readonly weight: DenseWeight;
  readonly begin: number;
  readonly skip: number;
}

/** The pieces of rows `begin` … `end` of the vocabulary. */
function piecesOf({ parts, width, format }: Table, begin: number, end: number): Piece[] {
  return parts.flatMap((part) => {
    const first = Math.max(begin, part.begin);
    const count = Math.min(end, part.begin + part.count) - first;
    const weight = { columns: count, depth: width, values: part.view, format: format as DenseFormat };
    return count > 0 ? [{ weight, begin: first, skip: first - part.begin }] : [];
  });
}

/** Nothing follows the inner dimension. */
const NO_LORA = { lora_from: 0, passed_over: 0 };

type Forward = HeadForward & { packed: BufferView };
type Backward = HeadBackward & { packed: BufferView; rowScales: BufferView };

/** logits = x·tableᵀ: x is packed once, the table slab by slab. */
export function dispatchPackedHead(
  stream: Stream,
  kernels: PackedKernels,
  { x, table, logits, rows, rowScales, packed }: Forward,
  slab = SLAB,
): void {
  const { vocab, width } = table;
  const { tile, edge, K, halfBytes } = packedTile(kernels);
  const inner = roundUp(width, edge);
  const leftBytes = roundUp(rows, tile.rows) * inner * halfBytes;
  const left = view(packed.buffer, packed.offset, leftBytes);
  rowScale(stream, { x, scales: rowScales, rows, width });
  packLeft(stream, kernels, {
    wide: [{ x, width, first: 0, end: inner, inner, at: 0, scales: rowScales }],
    ...{ narrow: [], rows, packed: left },
  });
  for (let begin = 0; begin < vocab; begin += slab) {
    const columns = Math.min(slab, vocab - begin);
    const allColumns = roundUp(columns, tile.columns);
    const right = view(packed.buffer, packed.offset + leftBytes, allColumns * inner * halfBytes);
    // In order: each fills up with zeros what the next begins with.
    for (const { weight, begin: first, skip } of piecesOf(table, begin, begin + columns)) {
      const piece = { weight, loraFrom: inner, right: inner, allColumns, at: 0, skip, putAt: first - begin };
      packRight(stream, kernels, { weights: [piece], transposed: false, packed: right });
    }
    stream.dispatch(kernels.forward, {
      buffers: [left, right, rowScales, left, left, logits],
      params: {
        ...{ rows, columns, inner: inner / K, left_across: inner / K, right_across: inner / edge },
        ...{ stride: vocab, first: begin, slice: 0, ...NO_LORA },
      },
      constants: { HAS_BIAS: 0, HAS_RESIDUAL: 0, ACCUMULATE: 0 },
      groups: [allColumns / tile.columns, ceilDiv(rows, tile.rows)],
      bytes: 2 * columns * width + 4 * rows * (columns + width),
      work: 2 * rows * columns * width,
    });
  }
}

/** dx = dlogits·table: both are packed slab by slab. */
export function dispatchPackedHeadGrad(
  stream: Stream,
  kernels: PackedKernels,
  { dlogits, table, scratch, dx, rows, rowScales, packed }: Backward,
  slab = SLAB,
): void {
  const { vocab, width } = table;
  const { tile, edge, K, halfBytes } = packedTile(kernels);
  const allColumns = roundUp(width, tile.columns);
  rowScale(stream, { x: dlogits, scales: rowScales, rows, width: vocab });
  let first = true;
  const slabs = table.parts.flatMap(({ begin, count }) =>
    Array.from({ length: ceilDiv(count, slab) }, (_, i) => {
      const [piece] = piecesOf(table, begin + i * slab, begin + Math.min((i + 1) * slab, count));
      return piece!;
    }),
  );
  for (const { weight, begin, skip } of slabs) {
    const count = weight.columns;
    const inner = roundUp(count, edge * SLICES);
    const leftBytes = roundUp(rows, tile.rows) * inner * halfBytes;
    const left = view(packed.buffer, packed.offset, leftBytes);
    const right = view(packed.buffer, packed.offset + leftBytes, allColumns * inner * halfBytes);
    const part = { x: dlogits, width: count, stride: vocab, from: begin, scales: rowScales };
    packLeft(stream, kernels, {
      wide: [{ ...part, first: 0, end: inner, inner, at: 0 }],
      ...{ narrow: [], rows, packed: left },
    });
    packRight(stream, kernels, {
      weights: [{ weight, loraFrom: inner, right: inner, allColumns, at: 0, skip }],
      ...{ transposed: true, packed: right },
    });
    stream.dispatch(kernels.gradient, {
      buffers: [left, right, rowScales, left, left, scratch],
      params: {
        ...{ rows, columns: width, inner: inner / K / SLICES },
        ...{ left_across: inner / K, right_across: inner / edge },
        ...{ stride: width, first: 0, slice: rows * width, ...NO_LORA },
      },
      constants: { HAS_BIAS: 0, HAS_RESIDUAL: 0, ACCUMULATE: Number(!first) },
      groups: [allColumns / tile.columns, ceilDiv(rows, tile.rows), SLICES],
      bytes: 2 * count * width + 4 * rows * (count + SLICES * width),
      work: 2 * rows * count * width,
    });
    first = false;
  }
  sumSlices(stream, { slices: scratch, y: dx, count: SLICES, values: rows * width });
}
