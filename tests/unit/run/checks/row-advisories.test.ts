import { describe, expect, it } from 'vitest';
import { type Advisory, advisoryText, namedRows } from '../../../../src/run/checks/advisory.ts';
import {
  conflictAdvisory,
  cutAdvisory,
  duplicateAdvisories,
  formAdvisories,
  type NamedRows,
  noEndAdvisory,
  sharedAdvisory,
  trainedBeforeAdvisory,
} from '../../../../src/run/checks/row-advisories.ts';
import { TrainedRows } from '../../../../src/run/checks/trained-rows.ts';
import { encodeRows } from '../../../../src/text/rows.ts';
import { source } from '../../../support/memory-folder.ts';
import { Random } from '../../../support/random.ts';
import { tinyTokenizer } from '../../../support/tiny-tokenizer.ts';

const template = (end: string): string =>
  `{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '${end}\\n' }}{% endfor %}`;
const tokenizerWith = (end: string) =>
  tinyTokenizer({
    special: ['<|im_end|>', '<|im_start|>'],
    config: { eos_token: '<|im_end|>' },
    template: template(end),
  });
const [tiny, withoutEnd] = [await tokenizerWith('<|im_end|>'), await tokenizerWith('')];
const STOPS = [tiny.eosId!];
/** Words that make rows of tokens, one a byte, different. */
const words = (random: Random, count: number): string =>
  Array.from({ length: count }, () => random.u32().toString(36)).join(' ');

async function rowsOf(
  rows: readonly object[],
  { name = 'train.jsonl', maxLength = 4000, tokenizer = tiny } = {},
): Promise<NamedRows> {
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  return { ...(await encodeRows(source(name, text), tokenizer, { maxLength })), name };
}

const asked = (question: string, answer: string) => ({ instruction: question, output: answer });
const pairs = (random: Random, count: number) =>
  Array.from({ length: count }, (_, i) => asked(`${i}: ${words(random, 3)}`, words(random, 4)));
const left = (advisory: Advisory | undefined) => {
  const remedy = advisory!.remedies.find(({ kind }) => kind === 'leave-out');
  return remedy?.kind === 'leave-out' ? remedy.rows : undefined;
};

describe('rows as they should be', () => {
  it.each([1, 2])('are not remarked (seed %d)', async (seed) => {
    const random = new Random(seed);
    const rows = await rowsOf(pairs(random, 60));
    const validation = await rowsOf(pairs(random, 20), { name: 'val.jsonl' });
    const earlier = TrainedRows.of((await rowsOf(pairs(random, 80))).rows);
    expect([
      cutAdvisory(rows, 4000, 4096),
      noEndAdvisory(rows, STOPS, '<|im_end|>'),
      sharedAdvisory(rows, validation),
      trainedBeforeAdvisory(rows, 'v1', earlier),
      ...duplicateAdvisories(rows),
      conflictAdvisory(rows),
      ...formAdvisories(rows, validation, { name: 'v1', prompt: 'chat' }),
    ]).toEqual(Array.from({ length: 5 }));
  });

  it('say the same in any format, whatever they are cut to', async () => {
    const messages = [
      { role: 'user', content: 'What does it cost? And where is it?' },
      { role: 'assistant', content: 'Four euros, in the main hall beside the stairs.' },
    ];
    const conversations = messages.map(({ role, content }) => ({
      value: content,
      from: role === 'user' ? 'human' : 'gpt',
    }));
    const [question, answer] = messages.map(({ content }) => content) as [string, string];
    const rows = await rowsOf([{ messages }]);
    const same = [
      await rowsOf([{ conversations }]),
      await rowsOf([asked(question, answer)]),
      await rowsOf([{ messages }], { maxLength: 90 }),
      await rowsOf([{ messages }], { tokenizer: withoutEnd }),
    ];
    for (const other of same) {
      expect(other.rows[0]!.hashes).toEqual(rows.rows[0]!.hashes);
    }
    expect(same[2]!.rows[0]).toMatchObject({ cut: true, wholeLength: rows.rows[0]!.ids.length });
    expect((await rowsOf([asked(question, `${answer}!`)])).rows[0]!.hashes!.content).not.toBe(
      rows.rows[0]!.hashes!.content,
    );
  });
});

describe('rows that are cut', () => {
  const texts = (...lengths: number[]) =>
    rowsOf(
      lengths.map((n, i) => ({ text: `${i % 10}${'x'.repeat(n - 1)}` })),
      { maxLength: 20 },
    );

  it('are told where most are, with the lengths that would be needed', async () => {
    const rows = await texts(...Array.from({ length: 38 }, (_, i) => 30 + i), 10, 500);
    const advisory = cutAdvisory(rows, 20, 4096)!;
    expect(advisoryText(advisory)).toBe(
      "train.jsonl: 39 of 40 rows are cut at max_seq_length 20, lines 1, 2, 3, 4 and 35 more: what follows is not trained, often the answer's end; the longest has 500 tokens; 66 would hold 95% of them; set max_seq_length to 500, or set max_seq_length to 66.",
    );
    expect(advisory.remedies).toMatchObject([
      { settings: { max_seq_length: 500 } },
      { settings: { max_seq_length: 66 } },
    ]);
  });

  it('are cut at what the model was made for at most', async () => {
    const advisory = cutAdvisory(await texts(50, 60, 70), 20, 40)!;
    expect(advisory.remedies).toMatchObject([{ settings: { max_seq_length: 40 } }]);
    expect(advisory.found).toContain('the model was made for 40 (max_position_embeddings)');
    expect(cutAdvisory(await texts(50, 60, 70), 20, 20)!.remedies).toEqual([]);
  });

  it('count where nothing is left of their answer', async () => {
    const rows = await rowsOf([asked('Q', 'A'), asked('Q'.repeat(70), 'A'), asked('Q'.repeat(80), 'A')], {
      maxLength: 60,
    });
    const advisory = cutAdvisory(rows, 60, 4096)!;
    expect(advisory.found).toMatch(
      /^train\.jsonl: 2 of 3 rows are cut at max_seq_length 60, lines 2 and 3: .* \(of 2 rows the whole answer, so that they are skipped\)/,
    );
    expect(advisory.remedies).toMatchObject([{ settings: { max_seq_length: 102 } }]);
  });

  it('are left alone where they are half or fewer', async () => {
    expect(cutAdvisory(await texts(50, 10, 10, 50), 20, 4096)).toBeUndefined();
  });
});

describe('answers without an end token', () => {
  const text = (answer: string) => ({ text: `### Instruction:\nQ\n\n### Response:\n${answer}` });
  const of = (rows: NamedRows) => noEndAdvisory(rows, STOPS, '<|im_end|>');

  it('are named', async () => {
    const rows = await rowsOf([text('A'), text('B<|im_end|>'), text('C')]);
    expect(of(rows)!.found).toBe(
      'train.jsonl: 2 answers of 3 end without an end token, such as <|im_end|>, lines 1 and 3: plain text is trained as it stands, and the model learns to go on after them',
    );
    const chat = await rowsOf([asked('Q', 'A')], { tokenizer: withoutEnd });
    expect(of(chat)!.found).toContain('1 answer of 1 ends without');
    expect(of(chat)!.found).toContain('the chat template prints none');
  });

  it('are not those of chat rows, prompts and completions, and plain texts without an answer', async () => {
    for (const row of [asked('Q', 'A'), { prompt: 'Q', completion: 'A' }, { text: 'Once upon a time' }]) {
      expect(of(await rowsOf([row]))).toBeUndefined();
    }
  });

  it('are not those that are cut: more length mends them', async () => {
    expect(of(await rowsOf([asked('Q', 'A'.repeat(90))], { maxLength: 60 }))).toBeUndefined();
  });
});

describe('rows that are there twice', () => {
  it('are found in training and validation, among those trained before, and among themselves', async () => {
    const random = new Random(9);
    const list = pairs(random, 60);
    const train = await rowsOf([...list, list[3]!, list[3]!, list[10]!]);
    const validation = await rowsOf([...pairs(random, 5), list[7]!, list[20]!], { name: 'val.jsonl' });
    const shared = sharedAdvisory(train, validation)!;
    expect(shared.found).toMatch(
      /^train\.jsonl: 2 rows are in val\.jsonl as well, lines 8 and 21 \(the first there on line 6\)/,
    );
    expect(left(shared)).toEqual([8, 21]);
    const earlier = TrainedRows.of((await rowsOf([list[0]!, list[59]!])).rows);
    const before = trainedBeforeAdvisory(train, 'v1', earlier)!;
    expect(before.found).toMatch(/^train\.jsonl: 2 of 63 rows were trained into v1 .*, lines 1 and 60:/);
    expect(left(before)).toEqual([1, 60]);
    const [duplicates, ...none] = duplicateAdvisories(train);
    expect(none).toEqual([]);
    expect(duplicates!.found).toBe(
      'train.jsonl: 3 rows are the same as an earlier one, lines 61, 62 and 63 (the first like line 4): each counts as often as it is there',
    );
    expect(left(duplicates)).toEqual([61, 62, 63]);
  });

  it('are not offered to be left out where none would be left', async () => {
    const train = await rowsOf([asked('Q', 'A')]);
    expect(sharedAdvisory(train, { ...train, name: 'val.jsonl' })!.remedies).toEqual([]);
    expect(trainedBeforeAdvisory(train, 'v1', TrainedRows.of(train.rows))!.remedies).toEqual([]);
  });

  it('nearly are told apart from those that are', async () => {
    const random = new Random(4);
    const list = Array.from({ length: 30 }, () => ({ text: words(random, 30) }));
    const nearly = { text: list[12]!.text.replace(/^\S/, '#') };
    const found = duplicateAdvisories(await rowsOf([...list, list[5]!, nearly]));
    expect(found.map(({ kind }) => kind)).toEqual(['duplicates', 'near-duplicates']);
    expect(found.map(left)).toEqual([[31], [32]]);
    expect(found[1]!.found).toContain('line 32 (the first like line 13)');
  });
});

describe('questions with several answers', () => {
  it('are found, and the last answer of each is kept', async () => {
    const random = new Random(6);
    const list = pairs(random, 20);
    const other = (row: (typeof list)[number]) => asked(row.instruction, words(random, 3));
    const [again, twice] = [other(list[2]!), other(list[2]!)];
    const rows = [...list, again, twice, again, other(list[9]!)];
    const advisory = conflictAdvisory(await rowsOf(rows))!;
    expect(advisory.found).toBe(
      'train.jsonl: 2 questions have more than one answer, the first on lines 3, 21, 22 and 23: the model is taught to contradict itself',
    );
    expect(left(advisory)).toEqual([3, 22, 10]);
    const kept = rows.filter((_, i) => !left(advisory)!.includes(i + 1));
    expect(conflictAdvisory(await rowsOf(kept))).toBeUndefined();
  });

  it('are not those asked under another system prompt, asked twice the same, or not asked at all', async () => {
    const messages = (system: string, answer: string) => ({
      messages: [
        { role: 'system', content: system },
        { role: 'user', content: 'Q' },
        { role: 'assistant', content: answer },
      ],
    });
    expect(conflictAdvisory(await rowsOf([messages('a', '1'), messages('b', '2')]))).toBeUndefined();
    expect(conflictAdvisory(await rowsOf([messages('a', '1'), messages('a', '1')]))).toBeUndefined();
    const blank = ['x', 'y'].map((completion) => ({ prompt: ' ', completion }));
    expect(conflictAdvisory(await rowsOf(blank))).toBeUndefined();
    const text = (answer: string) => ({ text: `### Instruction:\nQ\n\n### Response:\n${answer}` });
    expect(conflictAdvisory(await rowsOf([text('1'), text('1\n')]))).toBeUndefined();
    expect(conflictAdvisory(await rowsOf([text('1'), text('2')]))).toBeDefined();
  });
});

describe('the form of the rows', () => {
  it('is compared with the validation rows and with V1', async () => {
    const chat = await rowsOf([asked('Q', 'A')]);
    const text = await rowsOf([{ text: 'Text' }], { name: 'val.jsonl' });
    const both = formAdvisories(chat, text, { name: 'v1', prompt: 'text' });
    expect(both.map(({ found }) => found)).toEqual([
      'the training rows are chat and those of val.jsonl plain text: its eval loss is of prompts that are not trained',
      'v1 was trained on rows of plain text and these are chat: what it knows answers to prompts of the other form, and may be forgotten in this one',
    ]);
    expect(both[0]!.remedies).toMatchObject([{ kind: 'hold-out' }]);
    expect(formAdvisories(text, undefined, undefined)).toEqual([]);
  });
});

it('rows are named, but not all of many', () => {
  const rows = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      ids: new Uint32Array(),
      trained: new Uint8Array(),
      line: i + 1,
      cut: false,
    }));
  expect(namedRows(rows(1), { unit: 'row' })).toBe('row 1');
  expect(namedRows(rows(5), { unit: 'line' })).toBe('lines 1, 2, 3, 4 and 5');
  expect(namedRows(rows(1006), { unit: 'line' })).toBe('lines 1, 2, 3, 4 and 1,002 more');
});
