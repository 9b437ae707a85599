import forward from '../../../../shaders/lm-head/head_matmul.wgsl';
import backward from '../../../../shaders/lm-head/head_matmul_grad.wgsl';
import vector from '../../../../shaders/lm-head/head_matvec.wgsl';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { type FloatFormat, FORMAT_CODE } from '../shared/float-format.ts';
import { addSlices } from '../shared/sum-slices.ts';

/** Rows [begin, begin + count) of an embedding [vocab, width], in a buffer below the binding limit. */
interface TablePart {
  view: BufferView;
  begin: number;
  count: number;
}

/** An embedding on the device, split by vocabulary rows; `width` is a multiple of 32. */
export interface Table {
  parts: readonly TablePart[];
  format: FloatFormat;
  vocab: number;
  width: number;
}

/**
 * Vocabulary rows summed by one slice of the head's gradient: few enough that 128 rows of logits and a part of 128
 * MiB make two workgroups per multiprocessor of the largest GPUs. The parts run one after another.
 */
export const SLICE = 4096;

/** Threads of a workgroup, and columns per thread: 4, 8 or 16. A thread has 8 rows. */
export interface HeadTile {
  THREADS_M: number;
  /** Along the vocabulary in the forward pass, along the width in the gradient; a multiple of 8. */
  THREADS_N: number;
  COLUMNS: number;
}

/**
 * The first is the default. Each thread must load 2 or 4 vec4 of the activations and 1, 2 or 4 of a 16-bit table
 * per chunk. All fit in 16 KiB. With tiles of 128 rows, a chunk of rows of the loss reads the table once.
 */
export const HEAD_TILES: readonly HeadTile[] = [
  { THREADS_M: 8, THREADS_N: 16, COLUMNS: 8 },
  { THREADS_M: 16, THREADS_N: 16, COLUMNS: 8 },
  { THREADS_M: 16, THREADS_N: 8, COLUMNS: 8 },
  { THREADS_M: 8, THREADS_N: 16, COLUMNS: 4 },
  { THREADS_M: 16, THREADS_N: 8, COLUMNS: 16 },
];

/** Size of a workgroup's tile: rows × columns of the product. */
const headTileSize = ({ THREADS_M, THREADS_N, COLUMNS }: HeadTile) => ({
  rows: 8 * THREADS_M,
  columns: COLUMNS * THREADS_N,
});

/** Names in execution plans. The default's is `f32`, from when it was the only one. */
export function headTileName(tile: HeadTile): string {
  const { rows, columns } = headTileSize(tile);
  return tile === HEAD_TILES[0]
    ? 'f32'
    : `f32 ${rows}x${columns}x16${tile.COLUMNS === 8 ? '' : ` by 8x${tile.COLUMNS}`}`;
}

const NAMED = HEAD_TILES.map((tile) => ({ name: headTileName(tile), constants: { ...tile } }));

const forwardKernel = new Kernel({
  name: 'head_matmul',
  code: forward,
  buffers: ['read', 'read', 'read_write'],
  params: { rows: 'u32', count: 'u32', width: 'u32', first: 'u32', stride: 'u32' },
  variants: NAMED,
});

const vectorKernel = new Kernel({
  name: 'head_matvec',
  code: vector,
  buffers: ['read', 'read', 'read_write'],
  params: { count: 'u32', width: 'u32', first: 'u32', stride: 'u32' },
});

const backwardKernel = new Kernel({
  name: 'head_matmul_grad',
  code: backward,
  buffers: ['read', 'read', 'read', 'read_write'],
  params: {
    rows: 'u32',
    count: 'u32',
    width: 'u32',
    first: 'u32',
    stride: 'u32',
    first_slice: 'u32',
    slice_count: 'u32',
  },
  variants: NAMED,
});

/** Rows up to which the matrix-vector kernel is used. */
const MATVEC_ROWS = 8;

/** Bytes that a product with a part of the table moves: the part, and `values` of f32 in each row of both sides. */
export const headBytes = (part: BufferView, rows: number, values: number): number =>
  part.size + 4 * rows * values;

/** logits [rows, vocab] = x·tableᵀ, x [rows, width]; up to MATVEC_ROWS rows use the matrix-vector kernel. */
export function headMatmul(
  stream: Stream,
  call: { x: BufferView; table: Table; logits: BufferView; rows: number },
  tile: HeadTile = HEAD_TILES[0]!,
): void {
  const { x, table, logits, rows } = call;
  const size = headTileSize(tile);
  for (const part of table.parts) {
    const buffers = [x, part.view, logits];
    const params = { count: part.count, width: table.width, first: part.begin, stride: table.vocab };
    const constants = { FORMAT: FORMAT_CODE[table.format] };
    const work = 2 * rows * part.count * table.width;
    const bytes = headBytes(part.view, rows, part.count + table.width);
    if (rows <= MATVEC_ROWS) {
      stream.dispatch(vectorKernel, {
        ...{ buffers, params, work, bytes },
        constants: { ...constants, ROWS: rows },
        groups: [ceilDiv(part.count, 64)],
      });
    } else {
      stream.dispatch(forwardKernel, {
        ...{ buffers, work, bytes },
        params: { rows, ...params },
        groups: [ceilDiv(rows, size.rows), ceilDiv(part.count, size.columns)],
        constants: { ...constants, ...tile },
      });
    }
  }
}

/**
 * Slices of one part of the table at most, which may be added up before those of the next: the `scratch` of the head's
 * gradient is f32 [slices, rows, width], or larger.
 */
export const headSlices = (parts: readonly { count: number }[]): number =>
  Math.max(...parts.map(({ count }) => ceilDiv(count, SLICE)));

/** dx [rows, width] = dlogits·table, dlogits [rows, vocab]. */
export function headMatmulGrad(
  stream: Stream,
  call: { dlogits: BufferView; table: Table; scratch: BufferView; dx: BufferView; rows: number },
  tile: HeadTile = HEAD_TILES[0]!,
): void {
  const { dlogits, table, rows } = call;
  const size = headTileSize(tile);
  sumByParts(stream, call, (part, first_slice, slices) =>
    stream.dispatch(backwardKernel, {
      buffers: [dlogits, dlogits, part.view, call.scratch],
      params: {
        ...{ rows, count: part.count, width: table.width, first: part.begin, stride: table.vocab },
        ...{ first_slice, slice_count: SLICE },
      },
      groups: [ceilDiv(table.width, size.columns), ceilDiv(rows, size.rows), slices],
      constants: {
        FORMAT: FORMAT_CODE[table.format],
        ALIGNED: Number(table.vocab % 4 === 0 && part.begin % 4 === 0),
        ...tile,
      },
      bytes: headBytes(part.view, rows, part.count + slices * table.width),
      work: 2 * rows * part.count * table.width,
    }),
  );
}

/**
 * dx [rows, width] = the sum, in order, of the slices that `dispatch` leaves in `scratch` of each part of the table, from
 * a slice on; of as many parts at once as there is room for.
 */
export function sumByParts(
  stream: Stream,
  call: { table: Table; scratch: BufferView; dx: BufferView; rows: number },
  dispatch: (part: TablePart, firstSlice: number, slices: number) => void,
): void {
  const { table, scratch, dx, rows } = call;
  const values = rows * table.width;
  let [count, first] = [0, true];
  table.parts.forEach((part, i) => {
    const slices = ceilDiv(part.count, SLICE);
    dispatch(part, count, slices);
    count += slices;
    const next = table.parts[i + 1];
    if (!next || 4 * (count + ceilDiv(next.count, SLICE)) * values > scratch.size) {
      addSlices(stream, { slices: scratch, y: dx, count, values, first });
      [count, first] = [0, false];
    }
  });
}
