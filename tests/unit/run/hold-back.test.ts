import { describe, expect, it } from 'vitest';
import { defaultRecipe } from '../../../src/formats/recipe.ts';
import { holdBack } from '../../../src/run/input/hold-back.ts';
import { firstRows, splitOff } from '../../../src/run/input/split-rows.ts';
import type { EncodedRow, EncodedRows } from '../../../src/text/rows.ts';
import { source } from '../../support/memory-folder.ts';

/** Rows of these tokens, all but the first of them trained. */
const rowsOf = (texts: readonly number[][]): EncodedRow[] =>
  texts.map((ids, i) => ({
    ids: Uint32Array.from(ids),
    trained: Uint8Array.from(ids, (_, at) => (at > 0 ? 1 : 0)),
    line: i + 1,
    place: i + 1,
    cut: ids.length > 3,
  }));
const distinct = (count: number): EncodedRow[] =>
  rowsOf(Array.from({ length: count }, (_, i) => [i, i + 1, i + 2]));
const lines = (rows: readonly EncodedRow[]): number[] => rows.map(({ line }) => line);

describe('rows held back', () => {
  it.each([
    [0.1, 100, 10],
    [0.05, 30, 2],
    [0.101, 100, 11],
    [7, 100, 7],
    [1, 2, 1],
  ])('%d of %d rows', (size, count, expected) => {
    const rows = distinct(count);
    const { train, held } = holdBack(rows, { size, seed: 42 }, 'rows.jsonl');
    expect(held).toHaveLength(expected);
    expect([...lines(train), ...lines(held)].toSorted((a, b) => a - b)).toEqual(lines(rows));
    expect(lines(train)).toEqual(lines(train).toSorted((a, b) => a - b));
    expect(lines(held)).toEqual(lines(held).toSorted((a, b) => a - b));
  });

  it('are the same for a seed, and others for another', () => {
    const held = (seed: number) => lines(holdBack(distinct(50), { size: 5, seed }, 'rows.jsonl').held);
    expect(held(42)).toEqual(held(42));
    expect(held(42)).not.toEqual(held(43));
  });

  it('are never of the tokens of a trained row', () => {
    const rows = rowsOf(Array.from({ length: 60 }, (_, i) => [1, i % 12, 3]));
    for (let seed = 0; seed < 20; seed++) {
      const { train, held } = holdBack(rows, { size: 0.2, seed }, 'rows.jsonl');
      expect(held.length).toBe(10);
      const trained = new Set(train.map(({ ids }) => ids.join()));
      expect(held.filter(({ ids }) => trained.has(ids.join()))).toEqual([]);
    }
  });

  it.each([
    [distinct(5), 5, 'training.val_size is 5, which would hold back 5 of 5 rows and leave none to train on'],
    [
      distinct(1),
      0.1,
      'training.val_size is 0.1, which would hold back 1 of 1 row and leave none to train on',
    ],
    [
      rowsOf([
        [1, 2],
        [1, 2],
        [1, 2],
      ]),
      0.5,
      'every row has more than 1 duplicates',
    ],
  ])('%j are refused', (rows, size, sentence) => {
    expect(() => holdBack(rows, { size, seed: 1 }, 'rows.jsonl')).toThrow(sentence);
  });
});

describe('which rows a run takes', () => {
  const all = (rows: EncodedRow[], skipped: number[] = []): EncodedRows => ({
    rows,
    format: 'text',
    chat: false,
    system: undefined,
    skipped: skipped.map((line) => ({ line, place: line, why: 'no trained token' })),
    stats: { tokens: 0, trainedTokens: 0, longest: 0, cut: 0, duplicates: 0 },
    notes: [],
    date: undefined,
    names: [],
    unit: 'line',
    columns: undefined,
  });
  const inputs = (valSize: number | undefined, validation = false) => {
    const recipe = defaultRecipe();
    const training = { ...recipe.training, ...(valSize !== undefined && { valSize }) };
    const file = source('rows.jsonl', '');
    return { recipe: { ...recipe, training }, train: file, validation: validation ? file : undefined };
  };

  it('the first of the file, skipped ones counted, with the figures of what is left', () => {
    const rows = rowsOf([
      [1, 2],
      [3, 4, 5, 6],
      [5, 6],
      [7, 8],
    ]).map((row) => ({ ...row, line: row.line + 1, place: row.place + 1 }));
    const some = firstRows(all(rows, [1]), 3);
    expect(lines(some.rows)).toEqual([2, 3]);
    expect(some.stats).toMatchObject({ tokens: 6, trainedTokens: 4, longest: 4, cut: 1 });
    expect(firstRows(all(rows, [1]), 9).rows).toBe(rows);
    expect(() => firstRows(all(rows, [1]), 1)).toThrow('training.max_train_samples is 1');
  });

  it('all, or what is not held back', () => {
    const rows = distinct(10);
    expect(splitOff(all(rows), inputs(undefined))).toMatchObject({ held: [], heldBack: undefined });
    const { train, held, heldBack } = splitOff(all(rows), inputs(0.2));
    expect([train.rows.length, held.length]).toEqual([8, 2]);
    expect(train.stats.tokens).toBe(24);
    expect(heldBack).toEqual({ size: 0.2, seed: 42, rows: 2, of: 10 });
  });

  it('not both held-back rows and a validation file', () => {
    expect(() => splitOff(all(distinct(10)), inputs(0.2, true))).toThrow(
      'rows.jsonl: this validation file and training.val_size (0.2) both say what to evaluate on',
    );
  });
});
