import { expect, it } from 'vitest';
import { loopsOf, orderOf } from '../../bench/isa/flow.ts';
import { type Block, hottestWay } from '../../bench/isa/path.ts';

const block = (before: number[], fma: number, other = 0): Block => ({
  before,
  instructions: [
    ...Array.from({ length: fma }, () => ({ kinds: ['fma'] as const, multiplies: 1, cycles: 2 })),
    ...Array.from({ length: other }, () => ({ kinds: ['vector'] as const, multiplies: 0, cycles: 5 })),
  ],
});

it('the hottest way takes the side with the multiply-adds, and what has no other side', () => {
  const blocks = [
    block([], 1),
    // Either side of a branch,
    block([0], 10),
    block([0], 2, 100),
    // then one that may be passed over.
    block([1, 2], 0, 3),
    block([1, 2, 3], 1),
  ];
  const { once, round, loop } = hottestWay(blocks)!;
  expect(once).toMatchObject({ fma: 12, vector: 3, multiplies: 12, cycles: 12 * 2 + 3 * 5 });
  expect(round).toMatchObject({ multiplies: 0, cycles: 0 });
  expect(loop).toBeUndefined();
  expect(hottestWay([])).toBeUndefined();
});

it('a loop in a loop counts four times, and one at an edge not at all where there is another way', () => {
  const blocks = [
    block([], 0, 1),
    // A loop over 1 … 5,
    block([0, 5], 1),
    // in it a loop of one block,
    block([1, 2], 20),
    // and two ways to load: one with a loop in it.
    block([2], 0, 7),
    block([2, 4], 0, 50),
    block([3, 4], 0, 1),
    block([1, 5], 0, 2),
  ];
  const { once, round, loop } = hottestWay(blocks)!;
  expect(once).toMatchObject({ multiplies: 0, vector: 1 + 2 });
  expect(round).toMatchObject({ multiplies: 1 + 4 * 20, vector: 7 + 1 });
  expect(loop).toMatchObject({ multiplies: 20, vector: 0 });
});

it('of loops side by side the one that does most counts by its rounds, the other eight times', () => {
  const blocks = [block([], 0), block([0, 1], 20), block([1, 2], 30, 30), block([2], 0, 1)];
  const { once, round, loop } = hottestWay(blocks)!;
  expect(once).toMatchObject({ multiplies: 8 * 20, vector: 1 });
  expect(round).toMatchObject({ multiplies: 30, vector: 30 });
  // The other has more of them for its length.
  expect(loop).toMatchObject({ multiplies: 20, vector: 0 });
});

it('that over the depth reads memory: the densest of those, though a loop in it be denser', () => {
  const load = { kinds: ['global'] as const, multiplies: 0, cycles: 1 };
  const blocks = [block([], 0), block([0, 3], 0), block([1, 2], 20), block([2], 1)];
  blocks[1]!.instructions.push(load);
  const { round, loop, chunk } = hottestWay(blocks)!;
  expect(loop).toMatchObject({ multiplies: 20, global: 0 });
  expect(chunk).toMatchObject({ multiplies: 4 * 20 + 1, global: 1 });
  expect(chunk).toEqual(round);
});

it('a loop of fewer than sixteen multiply-adds is not the hottest', () => {
  expect(hottestWay([block([], 0), block([0, 1], 15)])!.loop).toBeUndefined();
  expect(hottestWay([block([], 0), block([0, 1], 16)])!.loop).toMatchObject({ multiplies: 16 });
});

it('a loop is what leads back to its header, wherever it lies; what follows the loop is none of it', () => {
  const leads = [[], [0, 5], [1], [1], [3, 6], [2], [4]].map((before) => ({ before }));
  const order = orderOf(leads);
  const place = (one: number) => order.indexOf(one);
  expect(order.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect([place(2) < place(5), place(1) < place(3), place(3) < place(4), place(4) < place(6)]).not.toContain(
    false,
  );
  expect(loopsOf(leads, order)).toEqual(
    new Map([
      [1, new Set([1, 2, 5])],
      [4, new Set([4, 6])],
    ]),
  );
});
