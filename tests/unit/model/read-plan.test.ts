import { expect, it } from 'vitest';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import { readPlan, unwanted, type Wanted } from '../../../src/model/base/read/read-plan.ts';

const file = bytesSource('a', new Uint8Array(2 ** 20));
const wanted = (begin: number, end: number, unit = 1, source = file): Wanted => ({
  source,
  begin,
  end,
  unit,
  take: () => undefined,
});
const shown = (ranges: readonly Wanted[], chunkBytes: number) =>
  readPlan(ranges, chunkBytes).map(({ source, begin, bytes, pieces }) => ({
    read: `${source.name} ${begin}+${bytes}`,
    pieces: pieces.map((p) => `${ranges.indexOf(p.wanted)}@${p.at} ${p.from}+${p.bytes}`),
  }));

it('small neighbors share a read, in the order of the file', () => {
  expect(shown([wanted(300, 400), wanted(0, 100), wanted(100, 300)], 1000)).toEqual([
    { read: 'a 0+400', pieces: ['1@0 0+100', '2@0 100+200', '0@0 300+100'] },
  ]);
});

it('a large range is cut at multiples of its unit, and the rest of a read goes to the next one', () => {
  expect(shown([wanted(10, 1034, 64), wanted(1034, 1050)], 400)).toEqual([
    { read: 'a 10+384', pieces: ['0@0 0+384'] },
    { read: 'a 394+384', pieces: ['0@384 0+384'] },
    { read: 'a 778+272', pieces: ['0@768 0+256', '1@0 256+16'] },
  ]);
});

it('small unwanted gaps are read too, large ones are skipped', () => {
  expect(shown([wanted(0, 10), wanted(20, 30), wanted(900_000, 900_010)], 2 ** 20)).toEqual([
    { read: 'a 0+30', pieces: ['0@0 0+10', '1@0 20+10'] },
    { read: 'a 900000+10', pieces: ['2@0 0+10'] },
  ]);
});

it('each file is read to its end before the next one', () => {
  const other = bytesSource('b', new Uint8Array(100));
  const reads = shown([wanted(50, 60), wanted(0, 10, 1, other), wanted(0, 50)], 1000);
  expect(reads.map(({ read }) => read)).toEqual(['a 0+60', 'b 0+10']);
});

it('with the unwanted gaps added, reads cover whole files', () => {
  const other = bytesSource('b', new Uint8Array(30));
  const ranges = [wanted(300, 1000, 64), wanted(8, 200, 64)];
  const rest = unwanted(ranges, [file, other]);
  expect(rest.map(({ source, begin, end }) => [source.name, begin, end])).toEqual([
    ['a', 0, 8],
    ['a', 200, 300],
    ['a', 1000, 2 ** 20],
    ['b', 0, 30],
  ]);
  const ends = new Map<string, number>();
  for (const { source, begin, bytes } of readPlan([...ranges, ...rest], 700)) {
    expect(begin).toBe(ends.get(source.name) ?? 0);
    ends.set(source.name, begin + bytes);
  }
  expect(ends).toEqual(
    new Map([
      ['a', 2 ** 20],
      ['b', 30],
    ]),
  );
});
