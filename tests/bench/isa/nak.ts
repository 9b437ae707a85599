// Reads what NVK prints of a pipeline with NAK_DEBUG=print: NAK's code after its last stage, and statistics.
import { type Facts, figure, type Kind, kindOf } from './listing.ts';
import { type Block, hottestWay } from './path.ts';

const KINDS: readonly (readonly [RegExp, Kind])[] = [
  [/^[hi]?mma/, 'matrix'],
  [/^(ffma|hfma2)/, 'fma'],
  [/^((ld|st|atom)\.shared|ldsm)/, 'lds'],
  [/^(ld|st)\.local/, 'spill'],
  [/^((ld|st|atom)\.global|ldc)/, 'global'],
  [/^bar/, 'barrier'],
  [/^(nop|membar|bssy|bsync|bclear|warpsync|bra|exit)/, 'wait'],
];

/** The stage whose code is encoded. */
const LAST_STAGE = 'NAK IR after calc_instr_deps';
/** Each of the stages before it begins so. */
export const NAK_STAGE = /^NAK IR/;

/** "block.u 18 L44 [17, 30] -> {": the blocks that lead to this one. */
const BLOCK = /^block\S* \d+ L\d+ \[([^\]]*)\]/;
/** "@!p0 r2 p0 = iadd3 r1 …": an operation behind what it writes, if anything. */
const INSTRUCTION = /^(?:@!?\S+)?\s+(?:([a-z0-9_. ]+)= )?([a-z][a-z0-9_.]*)/;
/** "// delay=4 wt=000001": cycles until the next of the same warp, without waits for memory. */
const DELAY = /\/\/ delay=(\d+)/;
/** Uniform registers and predicates: one value for a warp, computed beside the vector unit. */
const UNIFORM = /^u[pr]\d/;

/** Multiply-adds of an operation for each lane. */
function multiplies(operation: string): number {
  const matrix = /^hmma.*?m(\d+)n(\d+)k(\d+)/.exec(operation);
  if (matrix) {
    return (Number(matrix[1]) * Number(matrix[2]) * Number(matrix[3])) / 32;
  }
  return /^ffma/.test(operation) ? 1 : /^hfma2/.test(operation) ? 2 : 0;
}

export function parseNak(lines: readonly string[]): Facts {
  const stage = lines.findLastIndex((line) => line.startsWith(LAST_STAGE));
  const blocks: Block[] = [];
  for (const line of stage < 0 ? [] : lines.slice(stage + 1)) {
    const block = BLOCK.exec(line);
    if (block) {
      const before = block[1]!.split(',').filter((text) => text.trim() !== '');
      blocks.push({ instructions: [], before: before.map(Number) });
      continue;
    }
    if (/^Stage:/.test(line)) {
      break;
    }
    const [, written = '', operation] = INSTRUCTION.exec(line) ?? [];
    if (operation !== undefined) {
      blocks.at(-1)?.instructions.push({
        kinds: [UNIFORM.test(written) ? 'scalar' : kindOf(operation, KINDS)],
        multiplies: multiplies(operation),
        cycles: Number(DELAY.exec(line)?.[1] ?? 1),
      });
    }
  }
  return {
    registers: figure(lines, 'Num GPRs'),
    spills: figure(lines, 'Spills to mem'),
    occupancy: figure(lines, 'Max warps/SM'),
    instructions: figure(lines, 'Instruction count'),
    cycles: figure(lines, 'Static cycle count'),
    way: hottestWay(blocks),
  };
}
