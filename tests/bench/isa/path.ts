import { loopsOf, orderOf } from './flow.ts';
import { type Kind, type Mix, noInstructions } from './listing.ts';

/** An instruction: what it does, its multiply-adds for each lane, and the cycles that the compiler gives it. */
export interface Instruction {
  readonly kinds: readonly Kind[];
  readonly multiplies: number;
  readonly cycles: number;
}

/** A block of the control flow, and the indices of those that lead to it. */
export interface Block {
  readonly instructions: Instruction[];
  readonly before: readonly number[];
}

/**
 * What one subgroup does along one way through a kernel: cycles by the compiler, stalls included, multiply-adds for
 * each lane, and instructions by kind.
 */
export type Path = Mix & { cycles: number; multiplies: number };

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

/** What a kernel does along its hottest way. */
export interface HottestWay {
  /** Outside of the loop that does most. */
  once: Path;
  /** In each round of it; nothing where no loop multiplies. */
  round: Path;
  /** In each round of the loop with most multiply-adds for its length, inside the other or the same. */
  loop: Path | undefined;
  /** The same of the loops that read memory: in a product that over its depth, though it hold a loop of its own. */
  chunk: Path | undefined;
}

/**
 * The way with the most multiply-adds, which is that of a tile in the middle of a product: compilers' own totals give
 * both sides of a branch their share. Of several such ways, the one that enters fewest loops without multiply-adds,
 * such as those at an edge, and of these the longest. Other loops than the one that does most run 8 times, those in
 * them and in it 4 times, further in twice.
 */
export function hottestWay(blocks: readonly Block[]): HottestWay | undefined {
  if (blocks.length === 0) {
    return undefined;
  }
  const order = orderOf(blocks);
  const loops = loopsOf(blocks, order);
  const flow = { blocks, order, loops };
  const isOuter = ([header]: [number, unknown]) =>
    ![...loops].some(([other, loop]) => other !== header && loop.has(header));
  const round = [...loops]
    .filter(isOuter)
    .map(([, loop]) => roundWay(flow, loop, 0))
    .reduce((a, b) => (b.path.multiplies > a.path.multiplies ? b : a), nothing());
  const rounds = [...loops.values()].map((loop) => roundWay(flow, loop, 0));
  return {
    once: added(best(flow, order, 0), round, -ROUNDS[0]!).path,
    round: round.path,
    loop: densest(rounds),
    chunk: densest(rounds.filter(({ path }) => path.global > 0)),
  };
}

/** A loop with fewer multiply-adds does not do the work of a kernel. */
const LEAST = 16;
/** Multiply-adds that a matrix product stands for, when loops are compared. */
const OF_MATRIX = 64;

/** The round with the most multiply-adds for its length; undefined where none has enough of them. */
function densest(rounds: readonly Way[]): Path | undefined {
  const work = ({ path }: Way) => path.fma + OF_MATRIX * path.matrix;
  const density = (way: Way) => work(way) / way.instructions;
  const able = rounds.filter((way) => work(way) >= LEAST);
  return able.reduce<Way | undefined>((a, b) => (a && density(a) >= density(b) ? a : b), undefined)?.path;
}

/** A kernel's blocks, in an order in which each comes after those that lead to it, and its loops by their headers. */
interface Flow {
  readonly blocks: readonly Block[];
  readonly order: readonly number[];
  readonly loops: ReadonlyMap<number, ReadonlySet<number>>;
}

/** The best way through a part of the blocks in their order: to one that leads back to its first, or else to the end. */
function best(flow: Flow, part: readonly number[], depth: number): Way {
  const { blocks, loops } = flow;
  const [first] = part as [number];
  const ways = new Map<number, Way>();
  const ends: Way[] = [];
  const backs = new Set(blocks[first]!.before);
  for (const i of part) {
    if (ways.has(i)) {
      continue;
    }
    const loop = i === first && depth > 0 ? undefined : loops.get(i);
    const arrivals = blocks[i]!.before.flatMap((from) => (i === first ? [] : (ways.get(from) ?? [])));
    const before = arrivals.reduce<Way | undefined>((a, b) => (a && !better(b, a) ? a : b), undefined);
    if (i !== first && !before) {
      continue;
    }
    // An inner loop stands as one block, whose way counts as often as it runs; each of its blocks may lead out of it.
    const way = added(before ?? nothing(), loop ? loopWay(flow, loop, depth) : blockWay(blocks[i]!));
    const inside = loop ? [...loop] : [i];
    inside.forEach((one) => ways.set(one, way));
    if (depth === 0 || inside.some((one) => backs.has(one))) {
      ends.push(way);
    }
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

function loopWay(flow: Flow, loop: ReadonlySet<number>, depth: number): Way {
  const round = roundWay(flow, loop, depth);
  const way = added(nothing(), round, ROUNDS[Math.min(depth, ROUNDS.length - 1)]);
  return { ...way, idle: round.idle + Number(round.path.multiplies === 0) };
}

const roundWay = (flow: Flow, loop: ReadonlySet<number>, depth: number): Way =>
  best(
    flow,
    flow.order.filter((i) => loop.has(i)),
    depth + 1,
  );
