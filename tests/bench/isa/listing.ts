import type { Path } from './path.ts';

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
  /** The innermost loop that does most of the work. */
  loop: Mix | undefined;
  /** The way of a tile in the middle of a product, for the forecast. */
  path?: Path | undefined;
}

/** A loop, by the index of its first and last instruction. */
export type Loop = readonly [first: number, last: number];

/** A loop with fewer multiply-adds does not do the work of a kernel. */
const LEAST = 16;
/** Multiply-adds that a matrix product stands for, when loops are compared. */
const OF_MATRIX = 64;

/** The loop with the most multiply-adds per instruction; undefined where no loop has enough of them. */
export function hottestLoop(kinds: readonly (readonly Kind[])[], loops: readonly Loop[]): Mix | undefined {
  let best: { density: number; mix: Mix } | undefined;
  for (const [first, last] of loops) {
    const mix = mixOf(kinds.slice(first, last + 1).flat());
    const work = mix.fma + OF_MATRIX * mix.matrix;
    const density = work / (last - first + 1);
    if (work >= LEAST && density > (best?.density ?? 0)) {
      best = { density, mix };
    }
  }
  return best?.mix;
}

/** No instruction of any kind. */
export const noInstructions = (): Mix => ({
  ...{ fma: 0, matrix: 0, vector: 0, lds: 0, global: 0, spill: 0, barrier: 0, wait: 0, scalar: 0 },
});

function mixOf(kinds: readonly Kind[]): Mix {
  const mix = noInstructions();
  for (const kind of kinds) {
    mix[kind]++;
  }
  return mix;
}

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
