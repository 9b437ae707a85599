// Reads what RADV prints of a pipeline with RADV_DEBUG=cs,asm,shaderstats: ACO's listing and statistics; and with
// ACO_DEBUG=perfinfo, the cycles of each instruction.
import { type Facts, figure, hottestLoop, type Kind, kindOf, type Loop } from './listing.ts';
import { type Block, hottestPath } from './path.ts';

const KINDS: readonly (readonly [RegExp, Kind])[] = [
  [/^v_s?(wmma|mfma)/, 'matrix'],
  [/^v_(dual_|pk_)?(fma|fmac|fmaak|fmamk|dot)/, 'fma'],
  [/^v_/, 'vector'],
  [/^ds_/, 'lds'],
  [/^scratch_/, 'spill'],
  [/^(buffer|global|flat)_/, 'global'],
  [/^s_barrier/, 'barrier'],
  [/^s_(wait|delay|nop|clause)/, 'wait'],
  [/^s_/, 'scalar'],
];

/** "<tab>v_dual_fmac_f32 v1, v2, v3 :: v_dual_mov_b32 v4, 0   ; ca…": up to two operations, then the encoding. */
const INSTRUCTION = /^\s+([a-z][a-z_0-9]*)([^;]*);\s*[0-9a-f]{8}/;
const LABEL = /^\s*BB(\d+):/;

/** Two operations issued at once: each multiply-add counts; what goes along with one costs nothing. */
function dual(first: string, second: string): Kind[] {
  const kinds = [kindOf(first, KINDS), kindOf(second, KINDS)];
  const fmas = kinds.filter((kind) => kind === 'fma');
  return fmas.length > 0 ? fmas : kinds.slice(0, 1);
}

export function parseAco(lines: readonly string[]): Facts {
  const kinds: Kind[][] = [];
  const labels = new Map<string, number>();
  const loops: Loop[] = [];
  for (const line of lines) {
    const label = LABEL.exec(line);
    if (label) {
      labels.set(label[1]!, kinds.length);
      continue;
    }
    const [, operation, operands] = INSTRUCTION.exec(line) ?? [];
    if (operation === undefined) {
      continue;
    }
    const second = /::\s*([a-z][a-z_0-9]*)/.exec(operands!)?.[1];
    kinds.push(second === undefined ? [kindOf(operation, KINDS)] : dual(operation, second));
    const target = /^s_(cbranch|branch)/.test(operation) ? /BB(\d+)/.exec(operands!)?.[1] : undefined;
    const first = target === undefined ? undefined : labels.get(target);
    // A block that was there before: a branch back.
    if (first !== undefined) {
      loops.push([first, kinds.length - 1]);
    }
  }
  return {
    registers: figure(lines, 'VGPRs'),
    spills: figure(lines, 'Spilled VGPRs'),
    occupancy: figure(lines, 'Subgroups per SIMD'),
    instructions: figure(lines, 'Instructions'),
    cycles: figure(lines, 'Inverse Throughput'),
    loop: hottestLoop(kinds, loops),
    path: hottestPath(timedBlocks(lines)),
  };
}

/** "BB7", then what leads to it: "/* logical preds: BB6, / linear preds: BB6, / kind: uniform, *" + "/". */
const TIMED_LABEL = /^BB\d+$/;
const LOGICAL = /^\/\* logical preds:([^/]*)\/ linear preds:([^/]*)\//;
/** "(  5 clk)   v14 = v_fma_f32 v101, v100, s27": its cycles, stalls included. */
const TIMED = /^\s*\(\s*(\d+) clk\)\s+(?:.*? = )?([a-z][a-z_0-9]*)(.*)/;

/** Multiply-adds of an operation for each lane: those of half of 16 × 16 × 16 in a subgroup of 32 and so on. */
function multiplies(operation: string): number {
  const matrix = /^v_wmma\w*_(\d+)x(\d+)x(\d+)/.exec(operation);
  if (matrix) {
    return (Number(matrix[1]) * Number(matrix[2]) * Number(matrix[3])) / 32;
  }
  return kindOf(operation, KINDS) === 'fma' ? (/^v_(dual_)?(pk_|dot2)/.test(operation) ? 2 : 1) : 0;
}

/** The blocks of ACO's program with their cycles; none without perfinfo. */
function timedBlocks(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  const labels = new Map<string, number>();
  const before: string[] = [];
  for (const line of lines) {
    if (TIMED_LABEL.test(line)) {
      labels.set(line, blocks.length);
      blocks.push({ instructions: [], before: [] });
      continue;
    }
    const leading = LOGICAL.exec(line);
    if (leading && blocks.length > 0) {
      before[blocks.length - 1] = leading[2]!;
      continue;
    }
    const [, clocks, operation, operands] = TIMED.exec(line) ?? [];
    if (operation === undefined) {
      continue;
    }
    const second = /::\s*(?:\S+ = )?([a-z][a-z_0-9]*)/.exec(operands!)?.[1];
    blocks.at(-1)?.instructions.push({
      kinds: second === undefined ? [kindOf(operation, KINDS)] : dual(operation, second),
      multiplies: multiplies(operation) + (second === undefined ? 0 : multiplies(second)),
      cycles: Number(clocks),
    });
  }
  return blocks.map(({ instructions }, i) => ({
    instructions,
    before: [...(before[i] ?? '').matchAll(/BB\d+/g)].flatMap(([label]) => labels.get(label) ?? []),
  }));
}
