import { describe, expect, test } from 'vitest';
import type { ByteSource } from '../../../src/formats/byte-source.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { encodeRows, renderRow } from '../../../src/text/rows.ts';
import { fixtureBytes, fixtureFiles, memoryFolder, source } from '../../support/memory-folder.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';

interface Expected {
  first_rows: { input_ids: number[]; labels: number[] }[];
}

const TEMPLATE =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const tiny = await tinyTokenizer({
  special: ['<|im_end|>', '<|im_start|>'],
  config: { eos_token: '<|im_end|>' },
  template: TEMPLATE,
});
const MAX = { maxLength: 400 };
const encode = (text: string | Uint8Array) => encodeRows(source('train.jsonl', text), tiny, MAX);
const jsonl = (...rows: unknown[]): string => rows.map((row) => JSON.stringify(row) + '\n').join('');

/** What is trained in each row; `whole` with the rest in brackets. */
async function trainedOf(...rows: unknown[]): Promise<string[]> {
  const { rows: encoded } = await encode(jsonl(...rows));
  return encoded.map((row) =>
    renderRow(tiny, row)
      .map(({ text, trained }) => (trained ? text : `[${text}]`))
      .join(''),
  );
}

test.each(['recipe_text', 'chat_messages'])(
  '%s: ids and labels are those of the reference run',
  async (name) => {
    const tokenizer = await loadTokenizer(memoryFolder('base', fixtureFiles(`cases/${name}/base`)));
    const file = source('train.jsonl', fixtureBytes(`cases/${name}/train.jsonl`));
    const expected = JSON.parse(
      new TextDecoder().decode(fixtureBytes(`cases/${name}/expected/expected.json`)),
    ) as Expected;
    const { rows, skipped } = await encodeRows(file, tokenizer, { maxLength: 96 });
    expect(skipped).toEqual([]);
    expected.first_rows.forEach(({ input_ids, labels }, i) => {
      expect([...rows[i]!.ids]).toEqual(input_ids);
      expect([...rows[i]!.trained]).toEqual(labels.map((label) => (label === -100 ? 0 : 1)));
      expect(rows[i]!.line).toBe(i + 1);
    });
  },
);

describe('the system prompt of rows', () => {
  const answered = [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: 'a' },
  ];
  const asked = (content: unknown) => ({ messages: [{ role: 'system', content }, ...answered] });
  const systemOf = async (...rows: unknown[]) => (await encode(jsonl(...rows))).system;

  test('is known where all rows have the same, in any format', async () => {
    expect(await systemOf(asked('Be brief.'), asked('Be brief.'))).toBe('Be brief.');
    const row = { instruction: 'q', output: 'a', system: 'Be brief.' };
    expect(await systemOf(row, row)).toBe('Be brief.');
  });

  test('is none where some have another, or none', async () => {
    expect(await systemOf(asked('Be brief.'), asked('Be long.'))).toBeUndefined();
    expect(await systemOf(asked('Be brief.'), { messages: answered })).toBeUndefined();
    expect(await systemOf({ messages: answered }, { messages: answered })).toBeUndefined();
    expect(await systemOf({ text: 'ab' })).toBeUndefined();
  });
});

describe('row formats', () => {
  const q = '<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n';

  test('text stands as it is, its own control tokens included', async () => {
    const { rows, format } = await encode(jsonl({ text: 'a<|im_end|>', instruction: 'not this' }));
    expect(format).toBe('text');
    expect([...rows[0]!.ids]).toEqual([97, 256]);
    expect([...rows[0]!.trained]).toEqual([1, 1]);
  });

  test('messages train every assistant’s turn', async () => {
    const turn = (role: string, content: string) => ({ role, content });
    const messages = [
      turn('user', 'q'),
      turn('assistant', 'a'),
      turn('user', 'q'),
      turn('assistant', 'b<|im_end|>'),
    ];
    expect(await trainedOf({ messages })).toEqual([`[${q}]a<|im_end|>\n[${q}]b<|im_end|><|im_end|>\n`]);
    const { rows } = await encode(jsonl({ messages }));
    expect(rows[0]!.ids.filter((id) => id === 256)).toHaveLength(4);
  });

  test('prompt and completion as texts: the end token follows, once', async () => {
    const rows = [
      { prompt: 'p ', completion: 'c' },
      { prompt: '', completion: 'c<|im_end|>' },
      { prompt: '<|im_end|>', completion: '<|im_end|>c' },
    ];
    expect(await trainedOf(...rows)).toEqual([
      '[p ]c<|im_end|>',
      'c<|im_end|>',
      '[<|im_end|>]<|im_end|>c<|im_end|>',
    ]);
    const { rows: encoded } = await encode(jsonl(...rows));
    expect(encoded.map(({ ids }) => ids.filter((id) => id === 256).length)).toEqual([1, 1, 1]);
  });

  test('prompt and completion as messages: only the completion is trained', async () => {
    const prompt = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'old' },
      { role: 'user', content: 'q' },
    ];
    const row = { prompt, completion: [{ role: 'assistant', content: 'new' }] };
    expect(await trainedOf(row)).toEqual([`[${q}old<|im_end|>\n${q}]new<|im_end|>\n`]);
  });

  test('alpaca: input below the instruction, system and history before, output trained', async () => {
    expect(
      await trainedOf({ instruction: 'q', output: 'a' }, { instruction: 'q', input: '', output: 'b' }),
    ).toEqual([`[${q}]a<|im_end|>\n`, `[${q}]b<|im_end|>\n`]);
    const full = { instruction: 'i', input: 'n', output: 'o', system: 's', history: [['q', 'h']] };
    expect(await trainedOf(full)).toEqual([
      `[<|im_start|>system\ns<|im_end|>\n${q}h<|im_end|>\n<|im_start|>user\ni\nn<|im_end|>\n<|im_start|>assistant\n]o<|im_end|>\n`,
    ]);
  });

  test('ShareGPT’s speakers become roles', async () => {
    const conversations = [
      { from: 'system', value: 's' },
      { from: 'human', value: 'q' },
      { from: 'gpt', value: 'a' },
    ];
    expect(await trainedOf({ conversations })).toEqual([
      `[<|im_start|>system\ns<|im_end|>\n${q}]a<|im_end|>\n`,
    ]);
  });
});

test('rows are cut at maxLength, rows without a trained token are skipped and counted', async () => {
  const file = jsonl({ text: 'abcdefgh' }, { text: 'x' }, { text: '' }, { text: 'abc' });
  const { rows, skipped, stats } = await encodeRows(source('t', file), tiny, { maxLength: 5 });
  expect(rows.map(({ ids, cut, line }) => [ids.length, cut, line])).toEqual([
    [5, true, 1],
    [3, false, 4],
  ]);
  expect(skipped).toEqual([
    { line: 2, place: 2, why: 'no trained token' },
    { line: 3, place: 3, why: 'no trained token' },
  ]);
  expect(stats).toEqual({ tokens: 8, trainedTokens: 6, longest: 5, cut: 1, duplicates: 0 });
  const long = jsonl({ prompt: 'abcdefgh', completion: 'i' }, { prompt: '', completion: 'ab' });
  const cut = await encodeRows(source('t', long), tiny, { maxLength: 5 });
  expect(cut.skipped).toEqual([
    { line: 1, place: 1, why: 'no trained token within 5 tokens', wholeLength: expect.any(Number) },
  ]);
  expect(cut.stats).toMatchObject({ tokens: 3, trainedTokens: 2 });
});

test('progress counts rows and bytes up to the end', async () => {
  const seen: number[] = [];
  const file = source('t', jsonl({ text: 'ab' }, { text: 'é' }));
  await encodeRows(file, tiny, { ...MAX, onProgress: (p) => seen.push(p.rows, p.bytesRead, p.bytesTotal) });
  expect(seen).toEqual([1, 14, 28, 2, 28, 28]);
});

describe('the file', () => {
  test('byte-order mark, blank lines, CRLF and a last line without end are fine', async () => {
    const { rows } = await encode('\ufeff{"text": "ab"}\r\n\r\n  \n{"text": "cd"}');
    expect(rows.map((row) => [row.line, tiny.decode(row.ids)])).toEqual([
      [1, 'ab'],
      [4, 'cd'],
    ]);
  });

  test('a JSON array is fine, too', async () => {
    const tricky = ['a]}', 'b\\"[{,', 'c\\\\'];
    const text = `\ufeff [\n${tricky.map((t) => `  {\n "text": ${JSON.stringify(t)}, "x": [[1], {"y": []}]}`).join(',\n')}\n]\n`;
    const { rows } = await encode(text);
    expect(rows.map((row) => [row.line, tiny.decode(row.ids)])).toEqual([
      [2, tricky[0]],
      [4, tricky[1]],
      [6, tricky[2]],
    ]);
  });

  test.each(['lines', 'array'])('%s across the borders of pieces come out whole', async (kind) => {
    const texts = Array.from({ length: 40 }, (_, i) => `${i}é`);
    const rows = texts.map((text, i) =>
      JSON.stringify({ pad: `é${i},`.repeat(20_000 + 7919 * (i % 5)), text }),
    );
    const file = source('big', kind === 'lines' ? rows.join('\n') : `[${rows.join(',\n')}]`);
    expect(file.size).toBeGreaterThan(3 << 20);
    let largest = 0;
    const spied: ByteSource = {
      ...file,
      read: (begin, into) => {
        largest = Math.max(largest, into.length);
        return file.read(begin, into);
      },
    };
    const encoded = await encodeRows(spied, tiny, { maxLength: 1e9 });
    expect(encoded.rows.map(({ ids, line }) => [line, tiny.decode(ids)])).toEqual(
      texts.map((t, i) => [i + 1, t]),
    );
    expect(largest).toBeLessThan(file.size / 3);
  });

  test.each<[string, string | Uint8Array, string]>([
    ['empty', '', 'train.jsonl: there are no rows in it; write one JSON object per line.'],
    ['only blanks', '\n \n', 'train.jsonl: there are no rows in it; write one JSON object per line.'],
    ['an empty list', '[ ]', 'train.jsonl: there are no rows in it; write one JSON object per line.'],
    [
      'bad UTF-8',
      new Uint8Array([...new TextEncoder().encode('{"text": "ab"}\n{"text": "'), 0xc3, 0x22, 0x7d]),
      'train.jsonl, line 2: not valid UTF-8; save the file as UTF-8.',
    ],
    [
      'bad JSON',
      '{"text": "ab"}\n{"text": "cd" "x"}\n',
      'train.jsonl, line 2: not valid JSON at column 15: "," or "}" was expected; write one JSON object per line.',
    ],
    [
      'bad JSON within a list',
      '[{"text": "ab"},\n {"text":\n "cd" 1}]',
      'train.jsonl, line 3: not valid JSON at column 7: "," or "}" was expected; write one JSON object per line.',
    ],
    [
      'no object',
      '{"text": "ab"}\n"cd"',
      'train.jsonl, line 2: found "cd", expected a JSON object such as {"text": "…"}; write one per line.',
    ],
    [
      'a list within a list',
      '[["a"]]',
      'train.jsonl, line 1: found a list, expected a JSON object such as {"text": "…"}; write one per line.',
    ],
    [
      'a list cut off',
      '[{"text": "ab"},\n{"te',
      'train.jsonl, line 2: the file ends inside its JSON list; it seems cut off, copy it again.',
    ],
    [
      'a list that ends in a comma',
      '[{"text": "ab"},\n]',
      'train.jsonl, line 2: a row is missing beside a comma of the JSON list; remove the comma.',
    ],
    [
      'a list with two commas',
      '[{"text": "ab"},\n,{"text": "ab"}]',
      'train.jsonl, line 2: a row is missing beside a comma of the JSON list; remove the comma.',
    ],
    [
      'text after a list',
      '[{"text": "ab"}]\n\nx',
      'train.jsonl, line 3: there is more text after the end of the JSON list; remove it.',
    ],
    [
      'nothing trained',
      jsonl({ messages: [{ role: 'user', content: 'q' }] }, { messages: [{ role: 'user', content: 'r' }] }),
      'train.jsonl: nothing to train on, since none of its 2 rows has a trained token (line 1: no trained token); add answers, or raise max_seq_length.',
    ],
  ])('%s', async (_, text, sentence) => {
    const error = await encode(text).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'UserError', message: sentence });
  });
});

test.each(['', '[\n', '[{"text": "ab"},\n'])(
  'a row of 600 MB after %j is too long, and not read to its end',
  async (before) => {
    const start = new TextEncoder().encode(`${before}{"text": "`);
    let end = 0;
    const huge: ByteSource = {
      name: 'train.jsonl',
      size: 600e6,
      read: (begin, into) => {
        into.fill(97);
        if (begin === 0) {
          into.set(start);
        }
        end = Math.max(end, begin + into.length);
        return Promise.resolve();
      },
    };
    await expect(encodeRows(huge, tiny, MAX)).rejects.toThrow(
      `train.jsonl, line ${before ? 2 : 1}: the row is longer than 128 MiB, the most that a row may have; write one JSON object per line, and cut long texts into several.`,
    );
    expect(end).toBeLessThan(150e6);
  },
);

test('where nothing is trained, the message says what the rows are for', async () => {
  const rows = jsonl({ messages: [{ role: 'user', content: 'q' }] });
  const encoded = encodeRows(source('val.jsonl', rows), tiny, { maxLength: 99, use: 'evaluate' });
  await expect(encoded).rejects.toThrow(
    /^val\.jsonl: nothing to evaluate on, since none of its 1 rows has a trained token \(line 1: /,
  );
});

describe('bad rows name their line', () => {
  const user = { role: 'user', content: 'q' };
  test.each<[unknown, string]>([
    [
      { a: 1, b: 2 },
      'the row has the keys "a", "b", expected "text", "messages", "prompt" and "completion", "instruction" and "output", or "conversations"; rename them',
    ],
    [
      {},
      'the row has no keys, expected "text", "messages", "prompt" and "completion", "instruction" and "output", or "conversations"; rename them',
    ],
    [{ text: 7 }, 'text is a number, expected a text; correct it'],
    [{ text: null }, 'text is null, expected a text; correct it'],
    [
      { text: 'a\ud800' },
      'text holds half a surrogate pair, which is no character; write the character itself',
    ],
    [
      { messages: [user, { role: 'robot', content: 'a' }] },
      'messages[1].role is "robot", expected system, developer, user, human, assistant, gpt, model, function_call, tool, observation; rename it',
    ],
    [{ messages: [user, { content: 'a' }] }, 'the key messages[1].role is missing; add it'],
    [{ messages: [{ role: 'user' }] }, 'the key messages[0].content is missing; add it'],
    [
      { messages: [{ role: 'user', content: ['x'] }] },
      'messages[0].content[0] is a string, expected a part such as {"type": "text", "text": "…"}; correct it',
    ],
    [{ messages: [] }, 'messages is an empty list, expected a list of messages; correct it'],
    [{ messages: ['a'] }, 'messages[0] is a string, expected an object; correct it'],
    [{ prompt: 'a' }, 'the key completion is missing; add it'],
    [{ completion: 'a' }, 'the key prompt is missing; add it'],
    [{ prompt: 'a', completion: [user] }, 'prompt is a string, expected a list of messages; correct it'],
    [{ instruction: 'a' }, 'the key output is missing; add it'],
    [
      { instruction: 'a', output: 'b', history: [['x']] },
      'history[0] is a list of 1, expected a pair of texts; correct it',
    ],
    [
      { instruction: 'a', output: 'b', history: 'x' },
      'history is a string, expected a list of pairs of texts; correct it',
    ],
    [
      { instruction: 'a', output: 'b', history: [['x', 1]] },
      'history[0][1] is a number, expected a text; correct it',
    ],
    [
      { conversations: [{ from: 'bot', value: 'a' }] },
      'conversations[0].from is "bot", expected system, developer, user, human, assistant, gpt, model, function_call, tool, observation; rename it',
    ],
    [{ conversations: [{ from: 'human' }] }, 'the key conversations[0].value is missing; add it'],
  ])('%j', async (row, problem) => {
    const error = await encode(`\n${JSON.stringify(row)}`).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'UserError', message: `train.jsonl, line 2: ${problem}.` });
  });

  test('one file has one format', async () => {
    await expect(encode(jsonl({ text: 'ab' }, { instruction: 'a', output: 'b' }))).rejects.toThrow(
      'train.jsonl, line 2: found a row of the form "instruction" after rows of the form "text"; keep to one.',
    );
  });

  test('chat rows for a model without a template, and what a template refuses', async () => {
    const row = jsonl({ instruction: 'a', output: 'b' });
    const bare = await tinyTokenizer({ special: [] });
    await expect(encodeRows(source('t', row), bare, MAX)).rejects.toThrow(
      /^t, line 1: the base model has no chat template/,
    );
    expect((await encodeRows(source('t', jsonl({ text: 'ab' })), bare, MAX)).rows).toHaveLength(1);
    const strict = await tinyTokenizer({
      special: ['<|im_end|>', '<|im_start|>'],
      template: `{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}${TEMPLATE}`,
    });
    const system = jsonl({ instruction: 'a', output: 'b' }, { instruction: 'a', output: 'b', system: 's' });
    await expect(encodeRows(source('t', system), strict, MAX)).rejects.toThrow(
      't, line 2: the chat template of the base model refuses this: No system role (tiny/chat_template.jinja, line 1); change the conversation, or the template.',
    );
  });
});
