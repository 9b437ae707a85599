/** A block of the control flow: the indices of those that lead to it. */
interface Node {
  readonly before: readonly number[];
}

/**
 * The blocks that the first leads to, each after those that lead to it but for the ways back of loops. A compiler may
 * lay a loop's blocks behind what follows it, so that their own order says nothing.
 */
export function orderOf(blocks: readonly Node[]): number[] {
  const after: number[][] = blocks.map(() => []);
  blocks.forEach(({ before }, i) => before.forEach((from) => after[from]?.push(i)));
  const seen = new Set([0]);
  const finished: number[] = [];
  // Those of a block that were not followed yet; the last stands deepest.
  const open = [{ block: 0, left: [...after[0]!] }];
  while (open.length > 0) {
    const { block, left } = open.at(-1)!;
    const next = left.pop();
    if (next === undefined) {
      finished.push(block);
      open.pop();
    } else if (!seen.has(next)) {
      seen.add(next);
      open.push({ block: next, left: [...after[next]!] });
    }
  }
  return finished.toReversed();
}

/** The loops by their headers: all blocks from which one comes back to the header without leaving it again. */
export function loopsOf(blocks: readonly Node[], order: readonly number[]): Map<number, Set<number>> {
  const place = new Map(order.map((block, i) => [block, i]));
  const loops = new Map<number, Set<number>>();
  for (const header of order) {
    const at = place.get(header)!;
    const backs = blocks[header]!.before.filter((from) => (place.get(from) ?? -1) >= at);
    if (backs.length === 0) {
      continue;
    }
    const loop = new Set([header]);
    for (const left = [...backs]; left.length > 0;) {
      const block = left.pop()!;
      // Nothing before the header: of a loop that is entered elsewhere too, only what follows it counts.
      if (!loop.has(block) && (place.get(block) ?? -1) > at) {
        loop.add(block);
        left.push(...blocks[block]!.before);
      }
    }
    loops.set(header, loop);
  }
  return loops;
}
