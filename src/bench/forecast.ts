import type { Card } from './cards.ts';

/** What a subgroup does, by its compiler: cycles with stalls, multiply-adds for each lane, and instructions by kind. */
export interface CompiledPath {
  cycles: number;
  multiplies: number;
  fma: number;
  matrix: number;
  vector: number;
  [kind: string]: number;
}

/** A kernel as `npm run isa` writes it, as far as a forecast reads it. */
export interface CompiledKernel {
  label: string;
  /** Subgroups of 32 lanes that a SIMD holds at once, or, where the card says so, the SIMDs of a unit. */
  occupancy?: number | undefined;
  /** The hottest way through it: outside of the loop that does most, in each round of it, and of that over the depth. */
  way?: { once: CompiledPath; round: CompiledPath; chunk?: CompiledPath | undefined } | undefined;
}

/** A kernel call, as far as its duration depends on it. */
export interface Called {
  /** Floating-point operations. */
  work: number;
  bytes: number;
  /** Workgroups, and invocations of each. */
  groups: number;
  threads: number;
}

/** Lanes of the subgroups that both compilers count by. */
const LANES = 32;
/** Multiply-adds of 16 × 16 × 16 for each lane. */
const MATRIX = 16 ** 3 / LANES;

/** Products that attention on subgroup matrices makes of one, since it splits operands into two halves. */
const SPLIT: readonly (readonly [RegExp, number])[] = [
  [/^attention_backward_kv_(matrix|packed) /, 2],
  [/^attention_(backward_q_)?(matrix|packed) /, 3],
];
/** Rounds of a product's outer loop: a chunk of LoRA each, and one more; that in it passes the depth of the weight. */
const OUTER = 3;

/** Multiply-adds of the product itself: on matrices, what else is multiplied only prepares it. */
const useful = ({ label, way }: CompiledKernel, { multiplies, fma }: CompiledPath): number =>
  (way!.round.matrix > 0 ? multiplies - fma : multiplies) /
  (SPLIT.find(([name]) => name.test(label))?.[1] ?? 1);

/**
 * What a subgroup does in all for so many multiply-adds of each lane: what it does once, rounds of the loop that does
 * most, and of a product's outer loop only a few, since it is the loop in it that grows with the depth.
 */
function pathOf(kernel: CompiledKernel, multiplies: number): CompiledPath {
  const { once, round, chunk = round } = kernel.way!;
  const left = multiplies - useful(kernel, once);
  const rounds = Math.max(0, left / useful(kernel, round));
  const outer = kernel.label.startsWith('attention') ? rounds : Math.min(rounds, OUTER);
  const inner = Math.max(0, (left - outer * useful(kernel, round)) / useful(kernel, chunk));
  const kinds = Object.keys(once).map((kind) => [
    kind,
    once[kind]! + outer * round[kind]! + inner * chunk[kind]!,
  ]);
  return Object.fromEntries(kinds) as CompiledPath;
}

/**
 * Clocks of a SIMD for one way of 32 lanes through a kernel: what its units take, but no less than the compiler's
 * cycles shared by all that run at once.
 */
export function pathClocks(card: Card, occupancy: number, path: CompiledPath): number {
  const { units, unitSimds, perUnit } = card;
  const { cycles, multiplies, ...counts } = path;
  const { fma, matrix, vector } = counts;
  const onMatrices = (matrix > 0 ? (multiplies - fma) / MATRIX : 0) * units.matrix;
  const onVectors = fma * units.fma + vector * units.vector;
  const issued = Object.values(counts).reduce((sum, count) => sum + count, 0) * units.issue;
  // Matrices have a unit of their own where one scheduler serves all units.
  const busy = units.issue > 0 ? Math.max(onMatrices, issued) : onMatrices + onVectors;
  return Math.max(busy, cycles / (occupancy / (perUnit ? unitSimds : 1)));
}

/** Seconds of a call by what it computes; undefined without figures. The last round of workgroups counts in full. */
function computeSeconds(
  card: Card,
  kernel: CompiledKernel | undefined,
  { work, groups, threads }: Called,
): number | undefined {
  if (work === 0) {
    return 0;
  }
  if (!kernel?.way || kernel.way.round.multiplies === 0) {
    return undefined;
  }
  const ways = (groups * threads) / LANES;
  const { simds, unitSimds, clock } = card;
  const inUnits = groups / (simds / unitSimds);
  const idle = Math.ceil(inUnits) / inUnits;
  const path = pathOf(kernel, work / 2 / LANES / ways);
  return (idle * ways * pathClocks(card, kernel.occupancy ?? 1, path)) / (simds * clock * 1e9);
}

/** How long a call takes by forecast. */
export interface CallForecast {
  seconds: number;
  /** Whether memory is what it waits for. */
  moves: boolean;
  /** Whether the compiler's figures were there; without them it counts by its bytes. */
  known: boolean;
}

/** A call takes what its arithmetic does, or what its bytes take from memory, whichever is longer. */
export function forecastCall(card: Card, kernel: CompiledKernel | undefined, call: Called): CallForecast {
  const computing = computeSeconds(card, kernel, call);
  const moving = call.bytes / (card.bandwidth * 1e9);
  const moves = moving >= (computing ?? 0);
  return { seconds: moves ? moving : computing!, moves, known: computing !== undefined };
}
