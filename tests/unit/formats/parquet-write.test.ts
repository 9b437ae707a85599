import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import { NumberText } from '../../../src/formats/json.ts';
import { parquetRows } from '../../../src/formats/parquet/rows.ts';
import { type IntLists, writeIntLists } from '../../../src/formats/parquet/write.ts';
import { Random } from '../../support/random.ts';

const whole = (chunks: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(chunks));

/** Read back by hyparquet. */
async function read(columns: readonly IntLists[]): Promise<Record<string, number[]>[]> {
  const rows = [];
  for await (const { row } of parquetRows(bytesSource('x.parquet', whole(writeIntLists(columns, 'test'))))) {
    rows.push(
      Object.fromEntries(
        [...row].map(([name, values]) => [
          name,
          (values as unknown[]).map((value) => Number(value instanceof NumberText ? value.text : value)),
        ]),
      ),
    );
  }
  return rows;
}

describe('lists of whole numbers as Parquet', () => {
  it('read back to the same, whatever their lengths', async () => {
    const random = new Random(7);
    const lists = Array.from({ length: 60 }, () =>
      Int32Array.from({ length: random.integer(1, 300) }, () => random.u32() | 0),
    );
    const ones = lists.map(({ length }) => new Int32Array(length).fill(1));
    const rows = await read([
      { name: 'input_ids', lists },
      { name: 'attention_mask', lists: ones },
    ]);
    expect(rows).toEqual(lists.map((ids, i) => ({ input_ids: [...ids], attention_mask: [...ones[i]!] })));
  });

  it('fill several row groups', async () => {
    const lists = Array.from({ length: 3 }, (_, i) => new Int32Array(140_000).fill(i).fill(-100, 7));
    const rows = await read([{ name: 'labels', lists }]);
    expect(rows.map(({ labels }) => [labels!.length, labels![0], labels!.at(-1)])).toEqual(
      [0, 1, 2].map((i) => [140_000, i, -100]),
    );
  });

  it('take almost no space where all values are one', () => {
    const lists = [new Int32Array(100_000).fill(1)];
    expect(whole(writeIntLists([{ name: 'attention_mask', lists }], 'test')).length).toBeLessThan(400);
  });

  it.each([
    ['of another number of rows', [Int32Array.of(1)]],
    ['an empty list', [Int32Array.of(1), new Int32Array()]],
  ])('%s: refused', (_, lists) => {
    const two = [Int32Array.of(1), Int32Array.of(2)];
    expect(() =>
      writeIntLists(
        [
          { name: 'a', lists: two },
          { name: 'b', lists },
        ],
        'test',
      ),
    ).toThrow(RangeError);
  });
});
