import { describe, expect, it } from 'vitest';
import { embeddingGather, gatherRows, scatterRows } from '../../../src/gpu/kernels/embedding.ts';
import { bf16, f16, gatherRowsRef } from '../../reference/ops/embedding.ts';
import { testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

const shapes = [
  [1, 4],
  [63, 36],
  [65, 124],
  [257, 16],
  [7, 896],
  [3, 1536],
] as const;

/** A table of random bit patterns without NaN, infinities and f32 subnormals, and the values they stand for. */
function randomTable(format: 'bf16' | 'f16' | 'f32', n: number, random: Random) {
  if (format === 'f32') {
    const values = random.normals(n);
    return { data: values, values };
  }
  const [low, high] = format === 'bf16' ? [0x0080, 0x7f7f] : [0x0001, 0x7bff];
  const bits = Uint16Array.from({ length: n }, () => random.integer(low, high) | random.pick([0, 0x8000]));
  bits[0] = 0;
  return {
    data: new Uint8Array(bits.buffer),
    values: Float32Array.from(bits, format === 'bf16' ? bf16 : f16),
  };
}

describe.each(shapes)('%i rows of %i', (tokens, width) => {
  const random = new Random(tokens * 10_000 + width);

  it.each(['bf16', 'f16', 'f32'] as const)('embedding: decodes %s exactly, part by part', async (format) => {
    const t = await testGpu();
    const rows = 37;
    const { data, values } = randomTable(format, rows * width, random);
    const ids = Uint32Array.from({ length: tokens }, () => random.integer(0, rows - 1));
    const y = t.output(tokens * width);
    const bytesPerRow = data.byteLength / rows;
    const bytes = new Uint8Array(data.buffer);
    for (const [rowBegin, rowEnd] of [
      [0, 5],
      [5, 36],
      [36, rows],
    ] as const) {
      const table = t.upload(bytes.subarray(rowBegin * bytesPerRow, rowEnd * bytesPerRow));
      const part = { table, format, rowBegin, rowCount: rowEnd - rowBegin };
      embeddingGather(t.stream, { ids: t.upload(ids), ...part, width, y, tokens });
    }
    expect(await t.floats(y)).toEqual(gatherRowsRef(values, ids, width));
  });

  it('embedding: leaves the tokens of other parts alone', async () => {
    const t = await testGpu();
    const { data, values } = randomTable('bf16', 10 * width, random);
    const before = random.normals(tokens * width);
    const ids = Uint32Array.from({ length: tokens }, (_, i) => [99, 100, 109, 110, 0][i % 5]!);
    const y = t.upload(before);
    const part = { table: t.upload(data), format: 'bf16' as const, rowBegin: 100, rowCount: 10 };
    embeddingGather(t.stream, { ids: t.upload(ids), ...part, width, y, tokens });
    const inPart = (id: number) => id >= 100 && id < 110;
    const expected = gatherRowsRef(
      values,
      Array.from(ids, (id) => (inPart(id) ? id - 100 : 0)),
      width,
    ).map((value, i) => (inPart(ids[Math.floor(i / width)]!) ? value : before[i]!));
    expect(await t.floats(y)).toEqual(expected);
  });

  it('gatherRows reads, and scatterRows writes, the rows named', async () => {
    const t = await testGpu();
    const x = random.normals((tokens + 3) * width);
    // Distinct numbers: an arithmetic walk through the tokens + 3 rows, whose count 5 or 7 does not divide.
    const step = (tokens + 3) % 5 === 0 ? 7 : 5;
    const index = Uint32Array.from({ length: tokens }, (_, i) => (i * step + 2) % (tokens + 3));
    const gathered = t.output(tokens * width);
    const shape = { index: t.upload(index), count: tokens, width };
    gatherRows(t.stream, { x: t.upload(x), y: gathered, ...shape });
    const rows = gatherRowsRef(x, index, width);
    expect(await t.floats(gathered)).toEqual(rows);

    const before = random.normals(x.length);
    const scattered = t.upload(before);
    scatterRows(t.stream, { x: t.upload(rows), y: scattered, ...shape });
    const named = new Set(index);
    const expected = before.map((old, i) => (named.has(Math.floor(i / width)) ? x[i]! : old));
    expect(await t.floats(scattered)).toEqual(expected);
  });
});
