import { type Kind, type Mix, noInstructions } from './listing.ts';

/** An instruction: what it does, its multiply-adds for each lane, and the cycles that the compiler gives it. */
export interface Instruction {
  readonly kinds: readonly Kind[];
  readonly multiplies: number;
  readonly cycles: number;
}

/** A block of the control flow, and the indices of those that lead to it; one from a later block makes a loop. */
export interface Block {
  readonly instructions: Instruction[];
  readonly before: readonly number[];
}

/**
 * What one subgroup does along one way through a kernel: cycles by the compiler, stalls included, multiply-adds for
 * each lane, and instructions by kind.
 */
export interface Path extends Mix {
  cycles: number;
  multiplies: number;
}

/** How often a loop runs, by how many loops it lies in: as ACO takes it. */
const ROUNDS = [8, 4, 2];

interface Way {
  path: Path;
  /** Loops without multiply-adds that it enters. */
  idle: number;
  instructions: number;
}

const nothing = (): Way => ({
  path: { ...noInstructions(), cycles: 0, multiplies: 0 },
  idle: 0,
  instructions: 0,
});

function added(a: Way, b: Way, times = 1): Way {
  const path = { ...a.path };
  for (const key of Object.keys(path) as (keyof Path)[]) {
    path[key] += times * b.path[key];
  }
  return {
    path,
    idle: a.idle + b.idle,
    instructions: a.instructions + times * b.instructions,
  };
}

/** Whether a tile in the middle of the product would rather go this way. */
const better = (a: Way, b: Way): boolean =>
  a.path.multiplies === b.path.multiplies
    ? a.idle === b.idle
      ? a.instructions > b.instructions
      : a.idle < b.idle
    : a.path.multiplies > b.path.multiplies;

/**
 * The way with the most multiply-adds, which is that of a tile in the middle of a product: compilers' own totals give
 * both sides of a branch their share. Of several such ways, the one that enters fewest loops without multiply-adds,
 * such as those at an edge, and of these the longest. Loops run 8 times, those in them 4 times, further in twice.
 */
export function hottestPath(blocks: readonly Block[]): Path | undefined {
  if (blocks.length === 0) {
    return undefined;
  }
  return best(blocks, 0, blocks.length - 1, 0).path;
}

/** The last block from which one leads back to `header`; the header itself, if none does. */
const latchOf = (blocks: readonly Block[], header: number): number =>
  Math.max(header, ...blocks[header]!.before);

/** The best way from block `first` on within a range: to a block that leads back to it, or else to the end. */
function best(blocks: readonly Block[], first: number, last: number, depth: number): Way {
  const ways = new Map<number, Way>();
  const ends: Way[] = [];
  const backs = new Set(blocks[first]!.before);
  // Inner loops stand as one block, whose way counts as often as they run.
  for (let i = first; i <= last;) {
    const latch = i === first && depth > 0 ? i : latchOf(blocks, i);
    const arrivals = (i === first ? [] : blocks[i]!.before).flatMap((from) => ways.get(from) ?? []);
    let own: Way | undefined;
    if (latch > i || blocks[i]!.before.includes(i)) {
      own = i === first && depth > 0 ? blockWay(blocks[i]!) : loopWay(blocks, i, latch, depth);
    } else {
      own = blockWay(blocks[i]!);
    }
    if (i === first || arrivals.length > 0) {
      const before = arrivals.reduce<Way | undefined>((a, b) => (a && !better(b, a) ? a : b), undefined);
      const way = added(before ?? nothing(), own);
      let leadsBack = depth === 0;
      for (let inside = i; inside <= latch; inside++) {
        ways.set(inside, way);
        // Also out of an inner loop.
        leadsBack ||= backs.has(inside);
      }
      if (leadsBack) {
        ends.push(way);
      }
    }
    i = latch + 1;
  }
  return ends.reduce((a, b) => (better(b, a) ? b : a), nothing());
}

function blockWay({ instructions }: Block): Way {
  const way = nothing();
  for (const { kinds, multiplies, cycles } of instructions) {
    kinds.forEach((kind) => way.path[kind]++);
    way.path.cycles += cycles;
    way.path.multiplies += multiplies;
  }
  return { ...way, instructions: instructions.length };
}

function loopWay(blocks: readonly Block[], header: number, latch: number, depth: number): Way {
  const round = best(blocks, header, latch, depth + 1);
  const way = added(nothing(), round, ROUNDS[Math.min(depth, ROUNDS.length - 1)]);
  return { ...way, idle: round.idle + Number(round.path.multiplies === 0) };
}
