import matmul from '../../../../shaders/linear/nf4_matmul.wgsl';
import matmulGrad from '../../../../shaders/linear/nf4_matmul_grad.wgsl';
import type { Gpu } from '../../device.ts';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { constantsWith, FORWARD_PARAMS, GRAD_PARAMS, nestedParams, weightBuffers } from './nf4-operands.ts';
import type { Nf4ForwardVariant, Nf4GradVariant } from './nf4-variant.ts';

/** Threads of a workgroup and what each computes: the shaders' constants. */
interface TileShape {
  THREADS_M: number;
  THREADS_N: number;
  /** Thread grids that split the depth of a chunk. */
  SLICES: number;
  /** Results per thread: 4 or 8 rows, 4, 8 or 16 columns. */
  ROWS: number;
  COLUMNS: number;
  /** vec4 of depth per chunk: 2, 4 or 8. */
  CHUNK: number;
}

const LARGE = { SLICES: 1, ROWS: 8, COLUMNS: 8, CHUNK: 4 };
const SQUARE = { THREADS_M: 16, THREADS_N: 16, SLICES: 1, CHUNK: 4 };

/**
 * The first is the default. An 8 × 16 thread does 512 multiply-adds per 24 loads from workgroup memory; an 8 × 8 thread
 * 256 per 16; an 8 × 4 thread 128 per 12, 8 of which its neighbors load too; a 4 × 4 thread 64 per 8. Smaller ones take
 * fewer registers, of which some GPUs have only 128 or 64 per thread. Small tiles split a small product into many
 * workgroups, and slices give those enough threads. Each thread must load 1, 2 or 4 vec4 of each operand per chunk,
 * and the sums of a slice must fit in the space of the weights.
 */
const SHAPES: readonly TileShape[] = [
  { ...LARGE, THREADS_M: 8, THREADS_N: 16 },
  { ...LARGE, THREADS_M: 16, THREADS_N: 8 },
  { ...LARGE, THREADS_M: 16, THREADS_N: 16, CHUNK: 2 },
  { ...LARGE, THREADS_M: 16, THREADS_N: 16 },
  { ...LARGE, THREADS_M: 8, THREADS_N: 8 },
  { ...LARGE, THREADS_M: 4, THREADS_N: 8, SLICES: 4, CHUNK: 8 },
  { THREADS_M: 8, THREADS_N: 8, SLICES: 4, ROWS: 4, COLUMNS: 4, CHUNK: 8 },
  { ...SQUARE, ROWS: 8, COLUMNS: 4 },
  { ...SQUARE, THREADS_M: 8, ROWS: 8, COLUMNS: 4 },
  { ...SQUARE, ROWS: 4, COLUMNS: 4 },
  { ...LARGE, THREADS_M: 16, THREADS_N: 8, COLUMNS: 16 },
];

/** Size of a tile: rows × columns of the product, depth of a chunk, bytes of workgroup memory. */
function tileOf({ THREADS_M, THREADS_N, SLICES, ROWS, COLUMNS, CHUNK }: TileShape) {
  const [rows, columns, depth] = [THREADS_M * ROWS, THREADS_N * COLUMNS, 4 * CHUNK];
  const padding = Math.max(columns, depth);
  const bytes = 4 * depth * (rows + columns) + 16 * padding + 64;
  // Distinguishes tiles of the same size.
  const each = SLICES === 1 && ROWS * COLUMNS !== 64 ? ` by ${ROWS}x${COLUMNS}` : '';
  return { name: `f32 ${rows}x${columns}x${depth}${each}`, rows, columns, bytes };
}

const NAMED = SHAPES.map((shape) => ({ name: tileOf(shape).name, constants: { ...shape } }));

const forwardKernel = new Kernel({
  name: 'nf4_matmul',
  code: matmul,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
  params: FORWARD_PARAMS,
  variants: NAMED,
});

const gradKernel = new Kernel({
  name: 'nf4_matmul_grad',
  code: matmulGrad,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read_write'],
  params: GRAD_PARAMS,
  variants: NAMED,
});

const fits = (gpu: Gpu, bytes: number): boolean => bytes <= gpu.device.limits.maxComputeWorkgroupStorageSize;

function forwardTile(shape: TileShape): Nf4ForwardVariant {
  const tile = tileOf(shape);
  const constantsOf = constantsWith({ ...shape });
  return {
    name: tile.name,
    precision: 'f32',
    ...(shape.SLICES === 1 && { tile }),
    supported: (gpu) => fits(gpu, tile.bytes),
    dispatch(stream, { x, weight, y, rows, lora, bias, residual }) {
      const { columns, depth } = weight;
      stream.dispatch(forwardKernel, {
        // Absent operands are bound to x and never read.
        buffers: [
          ...[x, ...weightBuffers(weight), lora?.activations ?? x, lora?.matrix ?? x],
          ...[bias ?? x, residual ?? x, y],
        ],
        params: {
          rows,
          out_features: columns,
          in_features: depth,
          rank: lora?.rank ?? 0,
          has_bias: Number(!!bias),
          has_residual: Number(!!residual),
          ...nestedParams(weight),
        },
        groups: [ceilDiv(columns, tile.columns), ceilDiv(rows, tile.rows)],
        constants: constantsOf(weight),
        work: 2 * rows * columns * (depth + (lora?.rank ?? 0)),
      });
    },
  };
}

function gradTile(shape: TileShape): Nf4GradVariant {
  const tile = tileOf(shape);
  const constantsOf = constantsWith({ ...shape });
  return {
    name: tile.name,
    precision: 'f32',
    ...(shape.SLICES === 1 && { tile }),
    supported: (gpu) => fits(gpu, tile.bytes),
    dispatch(stream, { dy, weight, dx, rows, lora, accumulate }) {
      const { columns, depth } = weight;
      stream.dispatch(gradKernel, {
        buffers: [dy, ...weightBuffers(weight), lora?.activations ?? dy, lora?.matrix ?? dy, dx],
        params: {
          rows,
          out_features: columns,
          in_features: depth,
          rank: lora?.rank ?? 0,
          accumulate: Number(accumulate),
          ...nestedParams(weight),
        },
        groups: [ceilDiv(depth, tile.columns), ceilDiv(rows, tile.rows)],
        constants: constantsOf(weight),
        work: 2 * rows * depth * (columns + (lora?.rank ?? 0)),
      });
    },
  };
}

/** f32 variants of y = x·wᵀ, one per tile. */
export const TILE_FORWARD: readonly Nf4ForwardVariant[] = SHAPES.map(forwardTile);

/** f32 variants of dx = dy·w, one per tile. */
export const TILE_GRAD: readonly Nf4GradVariant[] = SHAPES.map(gradTile);
