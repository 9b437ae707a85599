import { describe, expect, it } from 'vitest';
import { jsonLine } from '../../../src/formats/json-line.ts';
import { editRow, leaveOut, noChanges, type RowChanges } from '../../../src/formats/row-changes.ts';
import { sha256 } from '../../../src/formats/sha256.ts';
import { readOrderedRows } from '../../../src/text/read-rows.ts';
import { rowLines } from '../../../src/text/row-lines.ts';
import { type EncodedRow, encodeRows } from '../../../src/text/rows.ts';
import { fixtureBytes, source } from '../../support/memory-folder.ts';
import { Random } from '../../support/random.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';

const tiny = await tinyTokenizer({
  special: ['<|im_end|>', '<|im_start|>'],
  config: { eos_token: '<|im_end|>' },
  template:
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
});
const encode = (name: string, content: Uint8Array | string, changes?: RowChanges) =>
  encodeRows({ ...source(name, content), changes }, tiny, { maxLength: 4096 });
const tokensOf = (rows: readonly EncodedRow[]) => rows.map(({ ids, trained }) => [[...ids], [...trained]]);
const over = async (content: Uint8Array | string): Promise<RowChanges> =>
  noChanges(await sha256(source('rows', content)));

async function exported(name: string, content: Uint8Array | string, changes?: RowChanges): Promise<string> {
  let text = '';
  for await (const { json } of rowLines({ ...source(name, content), changes })) {
    text += `${json}\n`;
  }
  return text;
}

describe('rows with changes over their file', () => {
  it('are those of the file changed by hand, and of the exported rows', async () => {
    const random = new Random(3);
    for (let trial = 0; trial < 20; trial++) {
      const rows = Array.from({ length: random.integer(2, 30) }, (_, i) => ({
        prompt: `q${i}`,
        completion: 'é'.repeat(random.integer(1, 9)),
      }));
      const lines = rows.flatMap((row) => [...(random.uniform() < 0.2 ? ['  '] : []), JSON.stringify(row)]);
      const file = lines.join('\r\n');
      let changes = await over(file);
      const byHand = lines.flatMap((line, i) => {
        const chance = line.trim() === '' ? 1 : random.uniform();
        if (chance < 0.25 && i > 0) {
          changes = leaveOut(changes, [i + 1]);
          return [];
        }
        if (chance < 0.5) {
          const edit = JSON.stringify({ prompt: 'edited', completion: String(chance) });
          changes = editRow(changes, i + 1, edit);
          return [edit];
        }
        return [line];
      });
      const expected = await encode('t.jsonl', byHand.join('\n'));
      const changed = await encode('t.jsonl', file, changes);
      expect(tokensOf(changed.rows)).toEqual(tokensOf(expected.rows));
      expect(changed.stats).toEqual(expected.stats);
      const out = await exported('t.jsonl', file, changes);
      expect(tokensOf((await encode('out.jsonl', out)).rows)).toEqual(tokensOf(expected.rows));
    }
  });

  it.each([
    ...['pairs.jsonl', 'pairs.jsonl.gz', 'pairs.json', 'pairs-utf16.jsonl', 'results.json', 'pairs.csv'],
    ...['pairs-index.csv', 'pairs-excel.csv', 'pairs.parquet', 'chats.csv', 'chats.parquet'],
  ])('%s: left out, edited and exported by their numbers', async (name) => {
    const bytes = fixtureBytes(`text/row-files/${name}`);
    const plain = await encode(name, bytes);
    const places = plain.rows.map(({ place }) => place);
    expect(new Set(places).size).toBe(places.length);
    // The third row in place of the second, in the file's own keys.
    const third = [];
    for await (const { place, row } of readOrderedRows(source(name, bytes))) {
      third.push(...(place === places[2] ? [row] : []));
    }
    const json = jsonLine(third[0]);
    const changes = editRow(leaveOut(await over(bytes), [places[0]!]), places[1]!, json);
    const [, , ...rest] = tokensOf(plain.rows);
    const expected = [rest[0], ...rest];
    expect(tokensOf((await encode(name, bytes, changes)).rows)).toEqual(expected);
    const out = await exported(name, bytes, changes);
    expect(tokensOf((await encode('out.jsonl', out)).rows)).toEqual(expected);
  });

  it('that cannot be read are read once they are left out or edited', async () => {
    const file = '{"text": "aa"}\n{"text": \n{"chosen": "b"}\n{"text": "cc"}';
    await expect(encode('t.jsonl', file)).rejects.toThrow('t.jsonl, line 2: not valid JSON');
    const changes = editRow(leaveOut(await over(file), [2]), 3, '{"text": "bb"}');
    expect((await encode('t.jsonl', file, changes)).rows.map(({ line }) => line)).toEqual([1, 3, 4]);
  });

  it('are refused in one sentence where the changes do not fit', async () => {
    const file = '{"text": "aa"}\n\n{"text": "bb"}';
    const own = await over(file);
    const read = (changes: RowChanges) => encode('t.jsonl', file, changes);
    await expect(read(leaveOut(noChanges('0'.repeat(64)), [1]))).rejects.toThrow(
      `t.jsonl: the changes over it belong to a file with SHA-256 ${'0'.repeat(64)}, and this one has ${own.of}; take the file that the rows were changed in, or change them anew.`,
    );
    await expect(read({ ...leaveOut(own, [2]), from: 'c.json' })).rejects.toThrow(
      't.jsonl: there is no row 2, which c.json names; take the row out of the changes.',
    );
    await expect(read(editRow(own, 4, '{}'))).rejects.toThrow(
      't.jsonl: there is no row 4, which the changes over it name; take the row out of the changes.',
    );
    await expect(read(editRow(own, 3, '{"prompt": "p"}'))).rejects.toThrow(
      't.jsonl, line 3, as edited: the key completion is missing; add it.',
    );
    await expect(read({ ...editRow(own, 3, '{"a": 1}'), from: 'c.json' })).rejects.toThrow(
      /^t\.jsonl, line 3, as c\.json has it: the row has the keys "a", expected "text",/,
    );
    await expect(read(leaveOut(own, [1, 3]))).rejects.toThrow(
      't.jsonl: all of its rows are left out; put some back.',
    );
  });

  it('nothing changed reads as the file, whatever it is', async () => {
    expect((await encode('t.jsonl', '{"text": "aa"}', noChanges('0'.repeat(64)))).rows).toHaveLength(1);
  });
});
