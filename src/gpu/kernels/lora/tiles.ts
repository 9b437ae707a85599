// What LoRA's products and their gradients share: tiles, slices and bindings.
import { ceilDiv } from '../../grid.ts';
import type { BufferView } from '../../memory.ts';

/** Rows (or widths) and ranks of a workgroup's tile. */
export const TILE = 64;
export const TILE_RANK = 32;
/**
 * Target number of workgroups when splitting the depth: enough for the largest devices, few enough to keep their
 * sums in cache.
 */
export const WORKGROUPS = 768;
/** Minimum depth of a slice, and maximum slices of a depth. */
const MIN_SLICE = 128;
const MAX_SLICES = 32;

export const ONE_GATED = 'gate and up for more than one factor';

/** Slices that a workgroup takes at once, each with 64 threads: enough for as many as there are. */
export const groupsFor = (slices: number): number => (slices > 2 ? 4 : slices);

/**
 * The depth of a slice for products of these depths and numbers of tiles, each of which there are `times` of; a
 * function of the shapes alone, so that sums have the same order everywhere.
 */
export function sliceDepth(parts: readonly { depth: number; tiles: number }[], times = 1): number {
  let longest = 0;
  for (const { depth } of parts) {
    longest = Math.max(longest, depth);
  }
  const jobs = (slice: number) =>
    times * parts.reduce((sum, { depth, tiles }) => sum + tiles * ceilDiv(depth, slice), 0);
  let slice = 32 * ceilDiv(Math.max(MIN_SLICE, longest / MAX_SLICES), 32);
  while (slice < longest && jobs(slice) > WORKGROUPS) {
    slice += 32;
  }
  return slice;
}

/** Three bindings for one to three views. */
export const three = ([a, b, c]: readonly BufferView[]): [BufferView, BufferView, BufferView] => [
  a!,
  b ?? a!,
  c ?? a!,
];
