import { describe, expect, it } from 'vitest';
import {
  anyChanges,
  changesText,
  editRow,
  leaveOut,
  noChanges,
  parseRowChanges,
  restoreRows,
  showChanges,
  writeRowChanges,
} from '../../../src/formats/row-changes.ts';
import { Random } from '../../support/random.ts';

const OF = 'a'.repeat(64);
const none = noChanges(OF);

describe('changes over rows', () => {
  it('leave out, edit and restore; the last word on a row counts', () => {
    let changes = leaveOut(none, [7, 2, 7]);
    changes = editRow(changes, 9, '{"text": "nine"}');
    expect(changes).toEqual({ of: OF, leftOut: [2, 7], edited: [[9, '{"text": "nine"}']] });
    changes = editRow(changes, 7, '{"text": "seven"}');
    changes = leaveOut(changes, [9]);
    expect(changes).toEqual({ of: OF, leftOut: [2, 9], edited: [[7, '{"text": "seven"}']] });
    expect(restoreRows(changes, [2, 7, 9])).toEqual(none);
    expect(anyChanges(restoreRows(changes, [2, 7, 9]))).toBeUndefined();
    expect(anyChanges(changes)).toBe(changes);
  });

  it('are the same text in whatever order they were made, and as they come back from a file', () => {
    const random = new Random(17);
    for (let trial = 0; trial < 20; trial++) {
      const rows = Array.from({ length: 12 }, () => random.integer(1, 40));
      const edits = rows.map(
        (row) => [row, `{"n": ${random.integer(0, 9)}.50, "2": "\\u0041 ${row}"}`] as const,
      );
      const last = new Map(edits);
      const one = edits.reduce(
        (changes, [row, json]) => editRow(changes, row, json),
        leaveOut(none, [50, 41]),
      );
      const other = [...last]
        .toReversed()
        .reduce((changes, [row, json]) => editRow(changes, row, json), leaveOut(none, [41]));
      expect(changesText(leaveOut(other, [50]))).toBe(changesText(one));
      const { from, ...read } = parseRowChanges(writeRowChanges(one, 'train "1".jsonl'), 'changes.json');
      expect(read).toEqual(one);
      expect(from).toBe('changes.json');
    }
  });

  it('keep the order of keys and the spelling of numbers of an edited row, on one line', () => {
    const { edited } = editRow(none, 1, '{\n "b": 1.0,\n "10": [true, null, 1e3],\n "2": {"z": "é\\n"}\n}');
    expect(edited).toEqual([[1, '{"b": 1.0, "10": [true, null, 1e3], "2": {"z": "é\\n"}}']]);
  });

  it('are counted in words', () => {
    expect(showChanges({ leftOut: 1, edited: 0 })).toBe('1 row left out');
    expect(showChanges({ leftOut: 1200, edited: 1 })).toBe('1,200 rows left out, 1 edited');
    expect(showChanges({ leftOut: 0, edited: 1 })).toBe('1 row edited');
    expect(showChanges({ leftOut: 0, edited: 0 })).toBeUndefined();
  });

  it.each([
    ['no JSON', '{"text"', 'row 3: not valid JSON at column 8: ":" was expected; correct it.'],
    [
      'no JSON in a later line',
      '{\n"a" 1}',
      'row 3: not valid JSON at line 2, column 5: ":" was expected; correct it.',
    ],
    ['a list', '[1]', 'row 3: found [1], expected a JSON object such as {"text": "…"}; correct it.'],
    [
      'too long a text',
      `{"text":"${'x'.repeat(2 ** 20)}"}`,
      /^row 3: it has 1,048,587 characters, expected at most/,
    ],
  ])('%s is no row', (_, text, message) => {
    expect(() => editRow(none, 3, text)).toThrow(message);
  });
});

describe('a file of changes', () => {
  const file = (change: object) => JSON.stringify({ rows: 'train.jsonl', sha256: OF, ...change });
  it.each([
    [
      'no object',
      '[]',
      'c.json: it holds [], expected {"sha256": "…", "leave_out": […], "edit": {…}}; choose a file of changes that Retune has exported.',
    ],
    [
      'no JSON',
      '{"sha256": }',
      'c.json: not valid JSON at line 1, column 12: a value was expected; correct the file or download it again.',
    ],
    [
      'no hash',
      '{}',
      'c.json: sha256 is missing, expected the SHA-256 of the file of rows, in 64 hex digits; correct the file, or export it again.',
    ],
    [
      'an unknown key',
      file({ drop: [1] }),
      'c.json: the key "drop" is not known, expected rows, sha256, leave_out, edit; remove it.',
    ],
    [
      'row 0',
      file({ leave_out: [3, 0] }),
      'c.json: leave_out[1] is 0, expected a row number from 1; correct the file, or export it again.',
    ],
    [
      'half a row',
      file({ leave_out: [1.5] }),
      'c.json: leave_out[0] is 1.5, expected a row number from 1; correct the file, or export it again.',
    ],
    [
      'a list of edits',
      file({ edit: [{}] }),
      'c.json: edit is [{}], expected rows by their numbers; correct the file, or export it again.',
    ],
    [
      'a named edit',
      file({ edit: { first: {} } }),
      'c.json: a key of edit is "first", expected a row number from 1, such as "12"; correct the file, or export it again.',
    ],
    [
      'an edit that is no row',
      file({ edit: { 12: 'text' } }),
      'c.json, row 12: found "text", expected a JSON object such as {"text": "…"}; correct it.',
    ],
    [
      'a row twice',
      file({ leave_out: [12], edit: { 12: {} } }),
      'c.json: row 12 is in leave_out and in edit, expected in one of them; remove it from the other.',
    ],
  ])('with %s is refused in one sentence', (_, text, message) => {
    expect(() => parseRowChanges(text, 'c.json')).toThrow(expect.objectContaining({ message }) as Error);
  });
});
