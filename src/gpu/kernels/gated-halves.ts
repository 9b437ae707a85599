import restoreCode from '../../../shaders/gated_restore.wgsl';
import roundCode from '../../../shaders/gated_round.wgsl';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { BufferView } from '../memory.ts';
import type { Stream } from '../stream.ts';

/** Values per workgroup: 256 threads of 4. */
const PER_GROUP = 1024;

const roundKernel = new Kernel({
  name: 'gated_round',
  code: roundCode,
  buffers: ['read_write', 'read_write', 'read_write'],
  params: { n4: 'u32' },
});

const restoreKernel = new Kernel({
  name: 'gated_restore',
  code: restoreCode,
  buffers: ['read', 'read_write', 'read_write'],
  params: { n4: 'u32' },
});

/**
 * That gate and up count as their values rounded to f16, to nearest, ties to even; past ±65,504 to infinity, so that
 * the loss tells. Whatever reads them rounds them, so that recomputed ones are those that were saved.
 */
export interface Halves {
  /**
   * 4 bytes a value of gate: four halves of gate, four of up, and so on. What reads gate and up first writes it; the
   * backward pass then reads it in their place. Undefined where they are not saved.
   */
  saved: BufferView | undefined;
}

/** What x = silu(gate)·up is made of; each f32 as x. */
export interface Gated {
  gate: BufferView;
  up: BufferView;
  /** Undefined where they count as they are. */
  halves?: Halves | undefined;
}

/** Two places of `scratch`, for bindings that are never touched. */
export const placesIn = ({ buffer, offset }: BufferView): [BufferView, BufferView] => [
  { buffer, offset, size: 256 },
  { buffer, offset: offset + 256, size: 256 },
];

/** Rounds gate and up, f32 [n], in place, and saves them where there is room for them; n is a multiple of 4. */
export function roundGated(
  stream: Stream,
  { gate, up, halves, n, scratch }: Gated & { n: number; scratch: BufferView },
): void {
  const saved = halves?.saved;
  stream.dispatch(roundKernel, {
    buffers: [gate, up, saved ?? placesIn(scratch)[0]],
    params: { n4: n / 4 },
    groups: spread(ceilDiv(n, PER_GROUP)),
    constants: { SAVED: Number(!!saved) },
    bytes: (saved ? 12 : 8) * n,
  });
}

/** gate and up, f32 [n], as they were saved; n is a multiple of 4. */
export function restoreGated(
  stream: Stream,
  { gate, up, saved, n }: { gate: BufferView; up: BufferView; saved: BufferView; n: number },
): void {
  stream.dispatch(restoreKernel, {
    buffers: [saved, gate, up],
    params: { n4: n / 4 },
    groups: spread(ceilDiv(n, PER_GROUP)),
    bytes: 12 * n,
  });
}
