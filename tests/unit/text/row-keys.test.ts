import { describe, expect, test } from 'vitest';
import { encodeRows, renderRow } from '../../../src/text/rows.ts';
import { fixtureBytes, source } from '../../support/memory-folder.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';

const TEMPLATE =
  '{% if tools %}(tools {{ tools | tojson }}){% endif %}{% if mood %}(mood {{ mood }}){% endif %}' +
  "{% for m in messages %}{{ '<' + m.role + '>' }}{{ m.content }}" +
  '{% if m.tool_calls %}(calls {{ m.tool_calls[0].function | tojson }}){% endif %}<|end|>{% endfor %}' +
  "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}";
const tokenizer = await tinyTokenizer({
  special: ['<|end|>', '<|im_start|>', '<|im_end|>'],
  config: { eos_token: '<|end|>' },
  template: TEMPLATE,
});

const read = (text: string) => encodeRows(source('t.jsonl', text), tokenizer, { maxLength: 1000 });
const jsonl = (...rows: unknown[]): string => rows.map((row) => JSON.stringify(row) + '\n').join('');

/** The first row with what is not trained in brackets, and the notes of the file. */
async function shown(text: string): Promise<{ text: string; notes: string[] }> {
  const { rows, notes } = await read(text);
  const pieces = renderRow(tokenizer, rows[0]!);
  return { text: pieces.map(({ text, trained }) => (trained ? text : `[${text}]`)).join(''), notes };
}
const problem = (text: string): Promise<string> =>
  read(text).then(
    () => 'accepted',
    (error: Error) => error.message,
  );

describe('each line of keys.jsonl', () => {
  const lines = new TextDecoder().decode(fixtureBytes('text/rows/keys.jsonl')).trimEnd().split('\n');

  test.each([
    [1, 'label', 'KTO'],
    [2, 'chosen', 'DPO'],
    [3, 'images', 'images'],
    [4, 'functions', 'tools'],
  ])('%i is refused by the name of %s', async (line, key, training) => {
    const message = await problem(lines[line - 1]!);
    expect(message).toMatch(new RegExp(`^t\\.jsonl, line 1: the key ${key} .*${training}`));
  });

  test.each<[number, string, string[]]>([
    [
      5,
      '[<user>When was it built?\nThe mill was built in 1911.<|end|><assistant>]In 1911.<|end|>',
      [
        't.jsonl: read as "instruction", 8% of the tokens are trained; keys without effect: category (1 row).',
      ],
    ],
    [
      6,
      '[<user>Give a tip.<|end|><assistant>]Descale it monthly.<|end|>',
      [
        't.jsonl: 1 row could also be read as "text"; "instruction" was taken.',
        't.jsonl: read as "instruction", 8% of the tokens are trained; keys without effect: text (1 row).',
      ],
    ],
    [
      7,
      '[<user>Capital?<|end|><assistant>A first try.<|end|><user>Again<|end|><assistant>]A second.<|end|>',
      [],
    ],
    [
      8,
      '[(tools [{"name": "sail", "parameters": {}}])<system>You are a sailor.<|end|><user>Hello<|end|><assistant>]Ahoy.<|end|>',
      [],
    ],
    [10, '[<user>Hi<|end|><assistant>]Hello<|end|>', []],
    [11, '[<system>Be short.<|end|><user>Hi<|end|><assistant>]Hello<|end|>', []],
    [
      12,
      '[<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n]Hello<|im_end|><|end|>',
      [
        't.jsonl: 1 row spells out control tokens of the model, which stay ordinary text there; text that a chat template has already rendered belongs in rows of the form {"text"}.',
      ],
    ],
  ])('%i', async (line, text, notes) => {
    const found = await shown(lines[line - 1]!);
    expect(found.text).toBe(text);
    expect(found.notes.map((note) => note.replace(/\d+% of/, '8% of'))).toEqual(notes);
  });

  test('9: a call is a turn of the assistant, an observation one of the tool', async () => {
    const { text } = await shown(lines[8]!);
    expect(text.replaceAll(/[[\]]/g, '')).toBe(
      '<user>Set sail<|end|><assistant>(calls {"name": "sail", "arguments": {}})<|end|><tool>done<|end|><assistant>We sail.<|end|>',
    );
  });
});

describe('turns and rows that are context only', () => {
  const turns = (marks: object) => ({
    messages: [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a', ...marks },
      { role: 'user', content: 'r' },
      { role: 'assistant', content: 'b' },
    ],
  });
  const first = '[<user>q<|end|><assistant>]a<|end|>[<user>r<|end|><assistant>]b<|end|>';
  const second = '[<user>q<|end|><assistant>a<|end|><user>r<|end|><assistant>]b<|end|>';

  test.each([
    [{ weight: 1 }, first],
    [{ weight: 0 }, second],
    [{ weight: 0.0 }, second],
    [{ loss_weight: 0 }, second],
    [{ train: false }, second],
    [{ trainable: false }, second],
    [{ train: true, weight: 0 }, second],
    [{ weight: null }, first],
  ])('%j', async (marks, text) => {
    expect(await shown(jsonl(turns(marks)))).toEqual({ text, notes: [] });
  });

  test('a fraction, and a mark on a turn that is never trained, are refused', async () => {
    expect(await problem(jsonl(turns({ weight: 0.5 })))).toBe(
      't.jsonl, line 1: messages[1].weight is 0.5, expected 0 or 1: a turn is trained whole or not at all; round it or remove the key.',
    );
    expect(await problem(jsonl({ text: 'abc', weight: 2 }))).toMatch(/weight is 2, expected 0 or 1/);
    expect(await problem(jsonl(turns({ train: 'no' })))).toMatch(
      /messages\[1\]\.train is a string, expected 0 or 1, or false or true/,
    );
    const userTurn = { messages: [{ role: 'user', content: 'q', train: true }] };
    expect(await problem(jsonl(userTurn))).toMatch(
      /messages\[0\] is a turn of "user" and asks to be trained/,
    );
  });

  test('a whole row', async () => {
    const { rows, skipped } = await read(jsonl({ text: 'ab', weight: 0 }, { text: 'abc', train: true }));
    expect(rows.map(({ line }) => line)).toEqual([2]);
    expect(skipped).toEqual([{ line: 1, place: 1, why: 'its weight is 0' }]);
  });
});

describe('what stands beside the turns', () => {
  const messages = [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: 'a' },
  ];
  const said = '<user>q<|end|><assistant>]a<|end|>';

  test.each([
    [{ messages, system: 'S' }, `[<system>S<|end|>${said}`],
    [
      { prompt: messages.slice(0, 1), completion: messages.slice(1), system: 'S' },
      `[<system>S<|end|>${said}`,
    ],
    [{ messages, tools: [{ name: 'f' }] }, `[(tools [{"name": "f"}])${said}`],
    [{ messages, tools: { name: 'f' } }, `[(tools [{"name": "f"}])${said}`],
    [{ messages, tools: '[{"name": "f"}]' }, `[(tools [{"name": "f"}])${said}`],
    [{ instruction: 'q', output: 'a', tools: '[{"name": "f"}]' }, `[(tools [{"name": "f"}])${said}`],
    [{ messages, tools: '' }, `[${said}`],
    [{ messages, tools: null, images: [], chosen: null }, `[${said}`],
    [{ messages, chat_template_kwargs: { mood: 'dry' } }, `[(mood dry)${said}`],
  ])('%j', async (row, text) => {
    expect(await shown(jsonl(row))).toEqual({ text, notes: [] });
  });

  test('tools that are no JSON, arguments that are no object', async () => {
    expect(await problem(jsonl({ messages, tools: '[{"name": ' }))).toBe(
      't.jsonl, line 1: tools is a text that should hold JSON, which it does not at its column 11: it ends too early; correct it.',
    );
    expect(await problem(jsonl({ messages, tools: 3 }))).toMatch(
      /tools is a number, expected a list of tools/,
    );
    expect(await problem(jsonl({ messages, chat_template_kwargs: [] }))).toMatch(
      /chat_template_kwargs is an empty list, expected an object/,
    );
  });

  test('what has no effect is listed once a file, with its rows', async () => {
    const rows = [
      { id: 1, messages: [{ ...messages[0], name: 'x' }, messages[1]] },
      { id: 2, 'so\u202eurce': 'web', messages },
      { id: null, system: 'late', messages: [{ role: 'system', content: 'S' }, ...messages] },
    ];
    const { notes, stats } = await read(jsonl(...rows));
    expect(notes).toHaveLength(1);
    const share = Math.floor((100 * stats.trainedTokens) / stats.tokens);
    expect(notes[0]).toBe(
      `t.jsonl: read as "messages", ${share}% of the tokens are trained; keys without effect: id (2 rows), messages[].name (1 row), so\u202eurce (1 row), system (1 row).`,
    );
  });

  test('rows that have the same tokens and mask are duplicates', async () => {
    const { stats } = await read(
      jsonl({ messages }, { messages, id: 1 }, { messages: messages.toReversed() }),
    );
    expect(stats.duplicates).toBe(1);
  });
});

test('a call’s text must be JSON of a call', async () => {
  const call = (value: string) =>
    jsonl({
      conversations: [
        { from: 'human', value: 'q' },
        { from: 'function_call', value },
      ],
    });
  expect(await problem(call('sail'))).toMatch(/conversations\[1\]\.value is a text that should hold JSON/);
  expect(await problem(call('[]'))).toMatch(/is an empty list, expected a call such as/);
  expect(await problem(call('{"arguments": {}}'))).toMatch(/is an object, expected a call such as/);
});

test('parts of a content are joined; other parts are refused', async () => {
  const row = (content: unknown) =>
    jsonl({
      messages: [
        { role: 'user', content },
        { role: 'assistant', content: 'a' },
      ],
    });
  const parts = [
    { type: 'text', text: 'p' },
    { type: 'text', text: 'q' },
  ];
  expect((await shown(row(parts))).text).toBe('[<user>pq<|end|><assistant>]a<|end|>');
  expect(await problem(row([{ type: 'image_url', image_url: { url: 'x' } }]))).toMatch(
    /messages\[0\]\.content\[0\]\.type is "image_url", but only text is trained here/,
  );
});
