// Reads what Asahi's driver prints of a pipeline with AGX_MESA_DEBUG=shaderdb: one line of statistics. It prints
// listings to stdout only, where they cannot be told apart from the program's own output.
import type { Facts } from './listing.ts';

export function parseAgx(lines: readonly string[]): Facts {
  const line = lines.findLast((text) => text.startsWith('CS shader: ')) ?? '';
  const before = (pattern: string) => {
    const found = new RegExp(`(\\d+)${pattern}`).exec(line);
    return found ? Number(found[1]) : undefined;
  };
  const halves = before(' gprs');
  return {
    // Counted in halves of 16 bits.
    registers: halves === undefined ? undefined : Math.ceil(halves / 2),
    spills: before(':\\d+ spills:fills'),
    occupancy: before(' threads'),
    instructions: before(' instrs'),
    cycles: before(' alu'),
  };
}
