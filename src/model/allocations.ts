import type { DecoderConfig } from '../formats/decoder-config.ts';
import type { GpuBuffer, Memory, MemoryKind } from '../gpu/memory.ts';

/** One buffer to allocate: `plan` adds these up without a device, and a run allocates exactly these. */
export interface Allocation {
  readonly kind: MemoryKind;
  readonly bytes: number;
}

/** A named set of allocations. */
export type Allocations<Name extends string = string> = Readonly<Record<Name, Allocation>>;

/** Allocates every buffer of the set. Throws UserError if one exceeds the device's limits. */
export function allocate<Name extends string>(
  memory: Memory,
  set: Allocations<Name>,
): Record<Name, GpuBuffer> {
  const entries = Object.entries<Allocation>(set);
  const made = entries.map(([name, { kind, bytes }]) => [name, memory.allocate(name, kind, bytes)]);
  return Object.fromEntries(made) as Record<Name, GpuBuffer>;
}

/** Bytes of a set by kind; sizes are rounded up to whole words, as Memory does. */
export function bytesByKind(sets: Iterable<Allocations>): Map<MemoryKind, number> {
  const sums = new Map<MemoryKind, number>();
  for (const set of sets) {
    for (const { kind, bytes } of Object.values(set)) {
      sums.set(kind, (sums.get(kind) ?? 0) + Math.max(4, Math.ceil(bytes / 4) * 4));
    }
  }
  return sums;
}

/** Width of all query heads together. */
export const queryWidth = (c: DecoderConfig): number => c.heads * c.headDim;

/** Width of all key (or value) heads together. */
export const keyWidth = (c: DecoderConfig): number => c.kvHeads * c.headDim;
