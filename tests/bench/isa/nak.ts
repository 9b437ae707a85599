// Reads what NVK prints of a pipeline with NAK_DEBUG=print: NAK's code after its last stage, and statistics.
import { type Facts, figure, hottestLoop, type Kind, kindOf, type Loop } from './listing.ts';

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
/** Uniform registers and predicates: one value for a warp, computed beside the vector unit. */
const UNIFORM = /^u[pr]\d/;

export function parseNak(lines: readonly string[]): Facts {
  const stage = lines.findLastIndex((line) => line.startsWith(LAST_STAGE));
  const kinds: Kind[][] = [];
  const blocks: { begin: number; before: number[] }[] = [];
  for (const line of stage < 0 ? [] : lines.slice(stage + 1)) {
    const block = BLOCK.exec(line);
    if (block) {
      const before = block[1]!.split(',').filter((text) => text.trim() !== '');
      blocks.push({ begin: kinds.length, before: before.map(Number) });
      continue;
    }
    if (/^Stage:/.test(line)) {
      break;
    }
    const [, written = '', operation] = INSTRUCTION.exec(line) ?? [];
    if (operation !== undefined) {
      kinds.push([UNIFORM.test(written) ? 'scalar' : kindOf(operation, KINDS)]);
    }
  }
  const endOf = (index: number) => (blocks[index + 1]?.begin ?? kinds.length) - 1;
  // A block to which a later one leads begins a loop.
  const loops = blocks.flatMap(({ begin, before }, i) =>
    before.filter((from) => from >= i).map((from): Loop => [begin, endOf(from)]),
  );
  return {
    registers: figure(lines, 'Num GPRs'),
    spills: figure(lines, 'Spills to mem'),
    occupancy: figure(lines, 'Max warps/SM'),
    instructions: figure(lines, 'Instruction count'),
    cycles: figure(lines, 'Static cycle count'),
    loop: hottestLoop(kinds, loops),
  };
}
