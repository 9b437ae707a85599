import { expect, it } from 'vitest';
import {
  exportRows,
  exportTokens,
  findRows,
  showRows,
  surveyRows,
} from '../../../src/engine/files/look-rows.ts';
import { editRow, leaveOut, noChanges, type RowChanges } from '../../../src/formats/row-changes.ts';
import { tokenRows } from '../../../src/handover/token-rows.ts';
import { MAX_FOUND } from '../../../src/text/find-rows.ts';
import { encodeRows } from '../../../src/text/rows.ts';
import { duplicatesOf, summarizeRows } from '../../../src/text/rows-survey.ts';
import { fixtureFiles, joinBytes, source } from '../../support/memory-folder.ts';
import { Random } from '../../support/random.ts';
import { tinyTokenizer, tinyTokenizerJson } from '../../support/tiny-tokenizer.ts';

const tiny = await tinyTokenizer({ special: ['</s>'], config: { eos_token: '</s>' } });
const json = { ...tinyTokenizerJson(['</s>']) };
const base = {
  name: 'base',
  files: [
    new File([JSON.stringify(json)], 'tokenizer.json'),
    new File([JSON.stringify({ eos_token: '</s>' })], 'tokenizer_config.json'),
    new File(
      [fixtureFiles('cases/recipe_text/base')['config.json'] as Uint8Array<ArrayBuffer>],
      'config.json',
    ),
  ],
};
const MAX = 40;

const random = new Random(5);
const texts: string[] = [];
for (let i = 0; i < 300; i++) {
  const own = `row ${i}`.padEnd(random.integer(6, 60), ' é');
  const chance = random.uniform();
  texts.push(chance < 0.05 ? 'x' : chance < 0.15 && i > 0 ? texts[i - 1]! : own);
}
const content = texts.map((text) => JSON.stringify({ text })).join('\n');
const file = new File([content], 'rows.jsonl');
const look = async (changes?: RowChanges) => {
  const answer = await surveyRows(base, { file, changes }, MAX);
  return { ...answer, summary: summarizeRows(answer.survey, new Set(changes?.leftOut)) };
};

it('a survey counts what a run counts, with and without changes', async () => {
  const { sha256, survey, summary } = await look();
  let changes = noChanges(sha256);
  changes = leaveOut(changes, [...duplicatesOf(survey, new Set()).keys(), 17, 44]);
  changes = editRow(changes, 45, JSON.stringify({ text: 'e'.repeat(90) }));
  const changed = await look(changes);
  for (const [found, over] of [
    [summary, undefined],
    [changed.summary, changes],
  ] as const) {
    const { rows, stats, skipped } = await encodeRows(
      { ...source('rows.jsonl', content), changes: over },
      tiny,
      {
        maxLength: MAX,
      },
    );
    const { longest, ...counts } = stats;
    expect(found).toMatchObject({ rows: rows.length, skipped: skipped.length, ...counts });
    expect(Math.min(MAX, found.longest)).toBe(longest);
    expect(found.bins.reduce((sum, n) => sum + n, 0)).toBe(rows.length + skipped.length);
    expect(found.bins.length).toBeLessThanOrEqual(41);
  }
  expect(summary.duplicates).toBeGreaterThan(5);
  expect(changed.summary).toMatchObject({ longest: 90, longestPlace: 45 });
});

it('rows are shown by their numbers, edited ones as they are edited, left out ones too', async () => {
  const { sha256 } = await look();
  const changes = editRow(leaveOut(noChanges(sha256), [3]), 7, '{"text": "seven", "n": 1.0}');
  const rows = await showRows(base, { file, changes }, MAX, [3, 7, 300]);
  expect(rows.map(({ place }) => place)).toEqual([3, 7, 300]);
  expect(rows[0]!.pieces.map(({ text }) => text).join('')).toContain(texts[2]!.slice(0, 5));
  expect(rows[1]).toMatchObject({ json: '{\n  "text": "seven",\n  "n": 1.0\n}', length: 5, trained: 4 });
  expect(rows[1]!.pieces).toEqual([{ text: 'seven', trained: true }]);
  await expect(
    showRows(base, { file, changes: editRow(changes, 8, '{"prompt": "a"}') }, MAX, [8]),
  ).rejects.toThrow('rows.jsonl, line 8, as edited: the key completion is missing; add it.');
});

it('a search finds a text in any case, what is edited included, and ends at a bound or where it is canceled', async () => {
  const { sha256 } = await look();
  const changes = editRow(leaveOut(noChanges(sha256), [3]), 7, '{"text": "Straße \\n42"}');
  expect(await findRows({ file, changes }, 'STRASSE')).toEqual({ places: [], more: false });
  expect(await findRows({ file, changes }, 'STRAße \n4')).toEqual({ places: [7], more: false });
  const many = new File(['{"text": "aa"}\n'.repeat(MAX_FOUND + 1)], 'many.jsonl');
  const found = await findRows({ file: many }, 'a');
  expect([found.places.length, found.more]).toEqual([MAX_FOUND, true]);
  const stop = new AbortController();
  const onProgress = () => stop.abort(new Error('canceled'));
  await expect(findRows({ file: many }, 'b', { signal: stop.signal, onProgress })).rejects.toThrow(
    'canceled',
  );
});

it('an export has the rows that are left, byte for byte where they are not edited', async () => {
  const { sha256 } = await look();
  const changes = editRow(leaveOut(noChanges(sha256), [3]), 7, '{"text":"seven"}');
  const lines = content.split('\n').with(6, '{"text": "seven"}').toSpliced(2, 1);
  expect(await (await exportRows({ file, changes })).text()).toBe(`${lines.join('\n')}\n`);
  const { rows } = await encodeRows({ ...source('rows.jsonl', content), changes }, tiny, { maxLength: MAX });
  const tokens = new Uint8Array(await (await exportTokens(base, { file, changes }, MAX)).arrayBuffer());
  expect(tokens).toEqual(joinBytes(tokenRows(rows)));
});
