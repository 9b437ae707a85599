import type { HottestWay } from './path.ts';

/** What an instruction does, as far as the tables tell them apart. */
export type Kind = 'fma' | 'matrix' | 'vector' | 'lds' | 'global' | 'spill' | 'barrier' | 'wait' | 'scalar';

/** A loop's instructions by kind. */
export type Mix = Record<Kind, number>;

/** What a compiler says of a kernel; undefined where it prints nothing of the kind. */
export interface Facts {
  /** Registers of an invocation. */
  registers: number | undefined;
  /** Registers spilled to memory. */
  spills: number | undefined;
  /** Subgroups that a unit of the GPU holds at once; on Apple's, invocations. */
  occupancy: number | undefined;
  instructions: number | undefined;
  /** The compiler's own estimate; comparable between kernels of one compiler only. */
  cycles: number | undefined;
  /** What it does along the way of a tile in the middle of a product; undefined without a listing. */
  way?: HottestWay | undefined;
}

/** No instruction of any kind. */
export const noInstructions = (): Mix => ({
  ...{ fma: 0, matrix: 0, vector: 0, lds: 0, global: 0, spill: 0, barrier: 0, wait: 0, scalar: 0 },
});

/** The first kind whose pattern fits the start of an operation's name. */
export function kindOf(operation: string, kinds: readonly (readonly [RegExp, Kind])[]): Kind {
  return kinds.find(([pattern]) => pattern.test(operation))?.[1] ?? 'vector';
}

/** A number that a compiler prints behind a name, the last time it does. */
export function figure(lines: readonly string[], name: string): number | undefined {
  const line = lines.findLast((text) => text.startsWith(`${name}: `));
  const value = line && /^-?\d+/.exec(line.slice(name.length + 2));
  return value ? Number(value[0]) : undefined;
}
