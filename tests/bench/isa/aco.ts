// Reads what RADV prints of a pipeline with RADV_DEBUG=cs,asm,shaderstats and ACO_DEBUG=perfinfo: ACO's program with
// the cycles of each instruction, and statistics.
import { type Facts, figure, type Kind, kindOf } from './listing.ts';
import { type Block, hottestWay } from './path.ts';

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

/** Two operations issued at once: each multiply-add counts; what goes along with one costs nothing. */
function dual(first: string, second: string): Kind[] {
  const kinds = [kindOf(first, KINDS), kindOf(second, KINDS)];
  const fmas = kinds.filter((kind) => kind === 'fma');
  return fmas.length > 0 ? fmas : kinds.slice(0, 1);
}

export function parseAco(lines: readonly string[]): Facts {
  return {
    registers: figure(lines, 'VGPRs'),
    spills: figure(lines, 'Spilled VGPRs'),
    occupancy: figure(lines, 'Subgroups per SIMD'),
    instructions: figure(lines, 'Instructions'),
    cycles: figure(lines, 'Inverse Throughput'),
    way: hottestWay(timedBlocks(lines)),
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
