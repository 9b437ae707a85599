import { expect, test } from 'vitest';
import { packWindow, type PlacedRow } from '../../../src/text/packing.ts';
import type { EncodedRow } from '../../../src/text/rows.ts';
import { Random } from '../../support/random.ts';

function row(ids: number[], trained: number[], index: number): PlacedRow {
  const encoded: EncodedRow = {
    ids: Uint32Array.from(ids),
    trained: Uint8Array.from(trained),
    line: index + 1,
    place: index + 1,
    cut: false,
  };
  return { row: encoded, index };
}

test('two rows in one pass, restarted positions, shifted targets', () => {
  const rows = [row([5, 6, 7], [1, 1, 0], 4), row([8, 9, 10, 11], [0, 0, 1, 1], 2)];
  const [pass, ...others] = packWindow(rows, 7);
  expect(others).toEqual([]);
  expect(pass).toEqual({
    ids: Uint32Array.of(5, 6, 7, 8, 9, 10, 11),
    positions: Uint32Array.of(0, 1, 2, 0, 1, 2, 3),
    docBegin: Uint32Array.of(0, 0, 0, 3, 3, 3, 3),
    docEnd: Uint32Array.of(3, 3, 3, 7, 7, 7, 7),
    rowOf: Uint32Array.of(4, 4, 4, 2, 2, 2, 2),
    targets: {
      index: Uint32Array.of(0, 4, 5),
      label: Uint32Array.of(6, 10, 11),
      rowOf: Uint32Array.of(4, 2, 2),
    },
  });
});

test('first fit: a later short row fills the room that is left', () => {
  const rows = [6, 5, 3, 4].map((length, i) => row(Array(length).fill(i), Array(length).fill(1), i));
  const passes = packWindow(rows, 10);
  expect(passes.map((pass) => [...new Set(pass.rowOf)])).toEqual([
    [0, 2],
    [1, 3],
  ]);
});

test('a row longer than a pass is a mistake of the caller', () => {
  expect(() => packWindow([row([1, 2, 3], [1, 1, 1], 7)], 2)).toThrow('row 7 has 3 tokens, a pass holds 2');
});

test('random windows: every token and target once, rows whole, no pass over its capacity', () => {
  const random = new Random(11);
  for (let round = 0; round < 30; round++) {
    const capacity = random.integer(20, 60);
    const rows = Array.from({ length: random.integer(1, 24) }, (_, i) => {
      const length = random.integer(1, 20);
      const flags = Array.from({ length }, () => random.integer(0, 1));
      return row(
        flags.map(() => random.integer(0, 999)),
        flags,
        i * 3,
      );
    });
    const passes = packWindow(rows, capacity);
    const found = passes.flatMap((pass) => {
      expect(pass.ids.length).toBeLessThanOrEqual(capacity);
      return [...pass.targets.index].map((at, t) => {
        const begin = pass.docBegin[at]!;
        const end = pass.docEnd[at]!;
        const owner = rows.find(({ index }) => index === pass.rowOf[at])!.row;
        expect(pass.ids.subarray(begin, end)).toEqual(owner.ids);
        expect(pass.positions[at]).toBe(at - begin);
        expect(at + 1).toBeLessThan(end);
        expect(pass.targets.label[t]).toBe(pass.ids[at + 1]);
        return `${pass.targets.rowOf[t]}:${at - begin + 1}`;
      });
    });
    const expected = rows.flatMap(({ row: { trained }, index }) =>
      [...trained].flatMap((flag, i) => (flag && i > 0 ? [`${index}:${i}`] : [])),
    );
    expect(found.sort()).toEqual(expected.sort());
    // First fit leaves at most one pass half empty.
    expect(passes.filter((pass) => pass.ids.length * 2 <= capacity).length).toBeLessThanOrEqual(1);
  }
});
