import embedding from '../../../shaders/embedding_gather.wgsl';
import gather from '../../../shaders/shared/gather_rows.wgsl';
import scatter from '../../../shaders/shared/scatter_rows.wgsl';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { BufferView } from '../memory.ts';
import type { Stream } from '../stream.ts';
import { type FloatFormat, FORMAT_CODE } from './shared/float-format.ts';

const embeddingKernel = new Kernel({
  name: 'embedding_gather',
  code: embedding,
  buffers: ['read', 'read', 'read_write'],
  params: { tokens: 'u32', width4: 'u32', row_begin: 'u32', row_count: 'u32' },
});

const rowsSpec = {
  buffers: ['read', 'read', 'read_write'],
  params: { count: 'u32', width4: 'u32' },
} as const;
const gatherKernel = new Kernel({ name: 'gather_rows', code: gather, ...rowsSpec });
const scatterKernel = new Kernel({ name: 'scatter_rows', code: scatter, ...rowsSpec });

/** How a table's values are stored; 16-bit values are packed in pairs, little-endian. */

/** One part of an embedding table, split by rows so that each part fits a binding; width is a multiple of 4. */
interface EmbeddingGather {
  /** u32 [tokens] */
  ids: BufferView;
  /** [rowCount, width] in `format`: the rows rowBegin … rowBegin + rowCount − 1 of the whole table */
  table: BufferView;
  format: FloatFormat;
  rowBegin: number;
  rowCount: number;
  width: number;
  /** f32 [tokens, width] */
  y: BufferView;
  tokens: number;
}

/** y[t] = table[ids[t] − rowBegin] for the tokens whose id lies in this part; other rows of y are left unchanged. */
export function embeddingGather(
  stream: Stream,
  { ids, table, format, rowBegin, rowCount, width, y, tokens }: EmbeddingGather,
): void {
  stream.dispatch(embeddingKernel, {
    buffers: [ids, table, y],
    params: { tokens, width4: width / 4, row_begin: rowBegin, row_count: rowCount },
    groups: spread(ceilDiv((tokens * width) / 4, 256)),
    bytes: 8 * tokens * width,
    constants: { FORMAT: FORMAT_CODE[format] },
  });
}

/** Rows selected by index; width is a multiple of 4. */
export interface Rows {
  /** Source rows, f32, each [width] */
  x: BufferView;
  /** u32 [count] */
  index: BufferView;
  /** Destination rows, f32, each [width] */
  y: BufferView;
  count: number;
  width: number;
}

/** y[i] = x[index[i]] for i < count. */
export function gatherRows(stream: Stream, { x, index, y, count, width }: Rows): void {
  stream.dispatch(gatherKernel, {
    buffers: [x, index, y],
    params: { count, width4: width / 4 },
    groups: spread(ceilDiv((count * width) / 4, 256)),
    bytes: 4 * count * (2 * width + 1),
  });
}

/** y[index[i]] = x[i] for i < count; the indices are distinct, other rows of y are left unchanged. */
export function scatterRows(stream: Stream, { x, index, y, count, width }: Rows): void {
  stream.dispatch(scatterKernel, {
    buffers: [x, index, y],
    params: { count, width4: width / 4 },
    groups: spread(ceilDiv((count * width) / 4, 256)),
    bytes: 4 * count * (2 * width + 1),
  });
}
