import { describe, expect, it } from 'vitest';
import type { Correction } from '../../../src/corrections/correction.ts';
import { correctionRows, type EarlierRows } from '../../../src/corrections/correction-rows.ts';
import { usualForm } from '../../../src/corrections/row-form.ts';
import { blobSource } from '../../../src/formats/blob-source.ts';
import type { Columns } from '../../../src/text/columns.ts';

const correction = (question: string, answer: string, more: Partial<Correction> = {}): Correction => ({
  ...{ question, was: 'no', answer, version: 'V2', changed: 1 },
  ...more,
});
const Q = correction('Which hall?', 'Hall 3.');

function file(
  rows: readonly object[] | string,
  more: { heldOut?: number[]; columns?: Columns; first?: number } = {},
) {
  const text = typeof rows === 'string' ? rows : rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const source = blobSource('train.jsonl', new Blob([text]), 'choose it again');
  const { heldOut = [], columns, first } = more;
  return { source: { ...source, columns }, heldOut: new Set(heldOut), first } satisfies EarlierRows;
}

const options = { share: 0.5, seed: 42, own: true, otherwise: usualForm(false, undefined) };
const made = async (earlier: readonly EarlierRows[], change = {}, corrections = [Q]) => {
  const result = await correctionRows(corrections, earlier, { ...options, ...change });
  const rows = result.train
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
  return { ...result, rows, first: rows[0] };
};
const text = (question: string, answer: string) => ({
  text: `### Instruction:\n${question}\n\n### Response:\n${answer}<|im_end|>`,
});

describe('the form of corrections is that of the rows', () => {
  const system = { role: 'system', content: 'Be brief.' };
  const user = { role: 'user', content: 'a' };
  const assistant = { role: 'assistant', content: 'b' };
  const ours = [
    { role: 'user', content: Q.question },
    { role: 'assistant', content: Q.answer },
  ];
  it.each<[string, object[], object]>([
    ['text', [text('a?', 'A.'), text('b?', 'B.')], text(Q.question, Q.answer)],
    [
      'ChatML in text, with a preamble',
      ['a', 'b'].map((q) => ({
        text: `<|im_start|>system\nHi<|im_end|>\n<|im_start|>user\n${q}<|im_end|>\n<|im_start|>assistant\n${q}!<|im_end|>\n`,
      })),
      {
        text: `<|im_start|>system\nHi<|im_end|>\n<|im_start|>user\n${Q.question}<|im_end|>\n<|im_start|>assistant\n${Q.answer}<|im_end|>\n`,
      },
    ],
    [
      'prompt and completion',
      [
        { prompt: 'Q: a\nA:', completion: ' b' },
        { prompt: 'Q: c\nA:', completion: ' d' },
      ],
      { prompt: `Q: ${Q.question}\nA:`, completion: ` ${Q.answer}` },
    ],
    ['bare prompts', [{ prompt: 'a', completion: 'b' }], { prompt: Q.question, completion: Q.answer }],
    [
      'prompt and completion as messages',
      [{ prompt: [user], completion: [assistant] }],
      { prompt: ours.slice(0, 1), completion: ours.slice(1) },
    ],
    ['messages', [{ messages: [user, assistant] }], { messages: ours }],
    [
      'messages with a system prompt that all have',
      [{ messages: [system, user, assistant] }, { messages: [system, assistant, user, assistant] }],
      { messages: [system, ...ours] },
    ],
    [
      'messages with several system prompts',
      [{ messages: [system, user, assistant] }, { messages: [{ ...system, content: '!' }, user, assistant] }],
      { messages: ours },
    ],
    [
      'conversations',
      [
        {
          system: 'Be brief.',
          conversations: [
            { from: 'human', value: 'a' },
            { from: 'gpt', value: 'b' },
          ],
        },
      ],
      {
        system: 'Be brief.',
        conversations: [
          { from: 'human', value: Q.question },
          { from: 'gpt', value: Q.answer },
        ],
      },
    ],
    [
      'instruction and output',
      [{ instruction: 'a', input: 'x', output: 'b' }],
      { instruction: Q.question, output: Q.answer },
    ],
  ])('%s', async (_, rows, expected) => {
    const { first, notes } = await made([file(rows)], { share: 0 });
    expect(first).toEqual(expected);
    expect(notes).toEqual([]);
  });

  it('is what the checkpoint says where the rows are not at hand', async () => {
    expect((await made([])).first).toEqual({
      prompt: `### Instruction:\n${Q.question}\n\n### Response:\n`,
      completion: Q.answer,
    });
    expect((await made([], { otherwise: usualForm(true, 'Be brief.') })).first).toEqual({
      messages: [system, ...ours],
    });
    // The rows of the run before may have another form than those that are missing.
    const earlier = file([{ messages: [user, assistant] }]);
    const { first, notes, replayed } = await made([earlier], { own: false });
    expect(first).toHaveProperty('prompt');
    expect(replayed).toBe(0);
    expect(notes).toEqual([
      'train.jsonl: its rows have the form "messages", the corrections "completion", so none of them is replayed.',
    ]);
  });

  it('says where texts have no place for question and answer that it knows', async () => {
    const { first, notes } = await made([file([{ text: 'Once.</s>' }, { text: 'Twice.</s>' }])], {
      share: 0,
    });
    expect(first).toEqual({ text: `### Instruction:\n${Q.question}\n\n### Response:\n${Q.answer}</s>` });
    expect(notes[0]).toContain('question and answer was not recognized');
  });

  it('holds what was said before, untrained, and the system prompt of the chat', async () => {
    const said = correction('And now?', 'Hall 4.', {
      system: 'Be kind.',
      history: [{ question: 'Where?', answer: 'There.' }],
    });
    const inForm = async (row: object) => (await made([file([row])], { share: 0 }, [said])).first;
    expect(await inForm({ messages: [system, user, assistant] })).toEqual({
      messages: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'Where?' },
        { role: 'assistant', content: 'There.', weight: 0 },
        { role: 'user', content: 'And now?' },
        { role: 'assistant', content: 'Hall 4.' },
      ],
    });
    expect(await inForm(text('a', 'b'))).toEqual({
      text: 'Be kind.\n\n### Instruction:\nWhere?\n\n### Response:\nThere.\n\n### Instruction:\nAnd now?\n\n### Response:\nHall 4.<|im_end|>',
    });
    expect(await inForm({ instruction: 'a', output: 'b' })).toEqual({
      system: 'Be kind.',
      history: [['Where?', 'There.']],
      instruction: 'And now?',
      output: 'Hall 4.',
    });
  });
});

describe('earlier rows', () => {
  const many = Array.from({ length: 40 }, (_, i) => text(`Question ${i}?`, `Answer ${i}.`));

  it('are drawn by the seed, in the share that is wanted, as they stand in their file', async () => {
    const corrections = [Q, correction('b?', 'B.')];
    const { rows, replayed, available } = await made([file(many)], { share: 0.75 }, corrections);
    expect([replayed, available, rows.length]).toEqual([6, 40, 8]);
    const at = rows
      .slice(2)
      .map((row) => many.findIndex((one) => one.text === (row as { text: string }).text));
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(new Set(at).size).toBe(6);
    expect(at).not.toContain(-1);
    expect((await made([file(many)], { share: 0.75 }, corrections)).rows).toEqual(rows);
    expect((await made([file(many)], { share: 0.75, seed: 43 }, corrections)).rows).not.toEqual(rows);
    expect((await made([file(many)], { share: 0.99 })).replayed).toBe(40);
  });

  it('come of all runs, none twice, none that was held out, past the rows trained, or asks what was corrected', async () => {
    const corrected = correction('Question 3?', 'Not 3.');
    const result = await made(
      [file(many, { heldOut: [1, 2], first: 20 }), file([...many.slice(0, 25), text('Older?', 'Yes.')])],
      { share: 0.99 },
      [corrected],
    );
    const found = result.rows
      .slice(1)
      .map((row) => /n (\d+|Older)/.exec((row as { text: string }).text)?.[1]);
    // Of 20 rows two are held out and one is corrected; five more are of the second file, and the older one.
    expect(result.available).toBe(23);
    expect(found.filter((one) => one === '3')).toEqual([]);
    expect(result.notes).toEqual(['1 earlier row that asks what was corrected is not replayed.']);
    expect(
      result.heldOut
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(many.slice(0, 2));
  });

  it('are written as they are read, of a table and with numbers as they stand', async () => {
    const table = file('Frage,Antwort\n"1, 2?",3\nb?,4\n', {
      columns: { instruction: 'Frage', output: 'Antwort' },
    });
    expect((await made([table], { share: 0.99 })).rows.slice(1)).toEqual([
      { instruction: '1, 2?', output: '3' },
      { instruction: 'b?', output: '4' },
    ]);
    const line =
      '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","x":1.50}],"2":0,"1":[]}';
    expect((await made([file(line)], { share: 0.5 })).train.split('\n')[1]).toBe(line);
  });
});
