import { describe, expect, it } from 'vitest';
import { timing } from '../../../src/bench/measure.ts';
import { benchModel, MODELS } from '../../../src/bench/models.ts';
import { plotSvg } from '../../../src/bench/plot.ts';
import {
  matrixCells,
  matrixColumn,
  type Report,
  reportJson,
  showSection,
} from '../../../src/bench/report.ts';
import { mixedRows } from '../../../src/bench/rows.ts';

const section = {
  name: 'steps',
  title: 'Steps <of> a model',
  columns: ['', 'tokens', 'tokens/s'],
  rows: [
    ['1 row', 1024, { speed: 3512.25, digits: 0 }],
    ['16 rows', 5302, { speed: 4.5 }],
  ],
  notes: [],
};
const report = (countsOnly: boolean): Report => ({
  facts: { gpu: 'a & b' },
  countsOnly,
  sections: [section],
  notes: ['steps of tiny, f16: why not'],
});

describe('a report', () => {
  it('shows counts exactly and speeds rounded', () => {
    expect(showSection(section, false)).toEqual([
      ['', 'tokens', 'tokens/s'],
      ['1 row', '1,024', '3,512'],
      ['16 rows', '5,302', '4.50'],
    ]);
    expect(reportJson(report(false))).toMatchObject({
      notes: ['steps of tiny, f16: why not'],
      sections: [{ rows: [{ tokens: 1024, 'tokens/s': 3512.25 }, { 'tokens/s': 4.5 }] }],
    });
  });

  it('leaves speeds out where they mean nothing, in every form', () => {
    expect(showSection(section, true)[1]).toEqual(['1 row', '1,024', '–']);
    expect(reportJson(report(true))).toMatchObject({
      counts_only: true,
      sections: [{ rows: [{ tokens: 1024, 'tokens/s': null }, {}] }],
    });
    expect(plotSvg(report(true))).not.toContain('<rect x=');
  });

  it('draws a bar for each speed', () => {
    const svg = plotSvg(report(false));
    expect(svg.match(/<rect x=/g)).toHaveLength(2);
    expect(svg).toContain('a &amp; b');
    expect(svg).toContain('Steps &lt;of> a model: tokens/s');
  });
});

it('the median of rounds, odd and even', () => {
  expect(timing([3, 1, 2])).toEqual({ seconds: 2, fastest: 1, slowest: 3 });
  expect(timing([4, 1, 2, 3]).seconds).toBe(2.5);
});

it('rows of the mix lie in its bounds and are the same each time', () => {
  const rows = mixedRows(500, 60, 600);
  const lengths = rows.map(({ row }) => row.ids.length);
  expect(lengths.slice(0, 4)).toEqual([161, 498, 294, 90]);
  expect(Math.min(...lengths)).toBeGreaterThanOrEqual(60);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(600);
  expect(mixedRows(500, 60, 600)).toEqual(rows);
});

it.each(MODELS)('the shape %s is one that the engine takes', (name) => {
  const { config, tensors } = benchModel(name);
  expect(tensors.get('model.embed_tokens.weight')!.shape).toEqual([config.vocabSize, config.hiddenSize]);
  expect(tensors.has(`model.layers.${config.layers - 1}.mlp.down_proj.weight`)).toBe(true);
});

it('shares of the subgroup matrices’ ceiling stand in a column of their own, where there are such units', () => {
  const units = { matrix: 400 };
  expect(matrixColumn(units)).toHaveLength(1);
  expect(matrixCells(1000, 5, units, true)).toEqual([{ speed: 50, digits: 0 }]);
  expect(matrixCells(1000, 5, units, false)).toEqual(['']);
  expect([
    ...matrixColumn({ matrix: undefined }),
    ...matrixCells(1000, 5, { matrix: undefined }, true),
  ]).toEqual([]);
});
