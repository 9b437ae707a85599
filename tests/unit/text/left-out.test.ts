import { describe, expect, test } from 'vitest';
import { eachRow, encodeRows } from '../../../src/text/rows.ts';
import { RowsTally } from '../../../src/text/rows-tally.ts';
import { source } from '../../support/memory-folder.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';

/** A model whose template prints a turn by `body`, with the usual frame around it. */
const model = (body: string, before = '') =>
  tinyTokenizer({
    special: ['<|end|>'],
    config: { eos_token: '<|end|>' },
    template:
      `${before}{% for m in messages %}{{ '<' + m.role + '>' }}${body}<|end|>{% endfor %}` +
      "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}",
  });

const file = (rows: object[]) => source('t.jsonl', rows.map((row) => JSON.stringify(row) + '\n').join(''));

async function reader(...template: Parameters<typeof model>) {
  const tokenizer = await model(...template);
  return (...rows: object[]) => encodeRows(file(rows), tokenizer, { maxLength: 1000 });
}

const USER = { role: 'user', content: 'How warm is it?' };
const ANSWER = { role: 'assistant', content: 'It is 93.' };
const CALL = {
  role: 'assistant',
  content: 'I look.',
  tool_calls: [{ id: 'c1', type: 'function', function: { name: 'read_boiler', arguments: { unit: 'C' } } }],
};
const TOOL = { role: 'tool', tool_call_id: 'c1', name: 'read_boiler', content: '93' };
const PLAIN = { messages: [USER, ANSWER] };

describe('a row is skipped where the template leaves out what its answers rest on', () => {
  const content = '{{ m.content }}';
  const calls =
    "{{ m.content }}{% for c in m.tool_calls or [] %}{{ '[' + c.function.name + ' ' + (c.function.arguments | tojson) + ']' }}{% endfor %}";
  const without = (role: string): string => `{% if m.role != '${role}' %}{{ m.content }}{% endif %}`;

  test.each<[string, string, object, string | undefined]>([
    ['a call', content, { messages: [USER, CALL] }, 'the tool call "read_boiler" of messages[1]'],
    ['a call that is printed', calls, { messages: [USER, CALL, TOOL, ANSWER] }, undefined],
    [
      'a call of ShareGPT',
      content,
      {
        conversations: [
          { from: 'human', value: 'q' },
          { from: 'function_call', value: '{"name": "f", "arguments": {}}' },
          { from: 'observation', value: '1' },
          { from: 'gpt', value: 'a' },
        ],
      },
      'the tool call "f" of conversations[1]',
    ],
    [
      'the second call',
      '{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls[0].function.name + (m.tool_calls[0].function.arguments | tojson) }}{% endif %}',
      {
        messages: [
          USER,
          { ...CALL, tool_calls: [...CALL.tool_calls, { function: { name: 'stop', arguments: {} } }] },
        ],
      },
      'the tool call "stop" of messages[1]',
    ],
    [
      'the arguments of a call',
      '{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}{% endfor %}',
      { messages: [USER, CALL] },
      'the arguments of the tool call "read_boiler" of messages[1]',
    ],
    [
      'the reply of a tool',
      `{% if m.role != 'tool' %}${calls}{% endif %}`,
      { messages: [USER, CALL, TOOL, ANSWER] },
      'the text of messages[2] (tool)',
    ],
    ['a question', without('user'), PLAIN, 'the text of messages[0] (user)'],
    ['an instruction', without('user'), { instruction: 'q', output: 'a' }, 'the text of instruction (user)'],
    [
      'a prompt in parts',
      without('user'),
      { prompt: [{ role: 'user', content: [{ type: 'text', text: 'q' }] }], completion: [ANSWER] },
      'the text of prompt[0] (user)',
    ],
    ['an answer', without('assistant'), PLAIN, 'the text of messages[1] (assistant)'],
    [
      'an answer that is all thoughts',
      "{{ m.content.split('</think>')[-1] }}",
      { messages: [USER, { role: 'assistant', content: '<think>\nwhy\n</think>\n\n' }] },
      'the text of messages[1] (assistant)',
    ],
    ['a blank text', without('system'), { system: ' \n', ...PLAIN }, undefined],
  ])('%s', async (_, body, row, what) => {
    const options = { maxLength: 1000, moment: '2026-03-07T14:05:09' };
    for await (const { why } of eachRow(file([row]), await model(body), options, new RowsTally())) {
      expect(why).toBe(what === undefined ? '' : `the chat template leaves out ${what}`);
    }
  });

  test('a file of such rows is refused with the first', async () => {
    const read = await reader(content);
    await expect(read({ messages: [USER, CALL] }, { messages: [USER, CALL] })).rejects.toThrow(
      't.jsonl: nothing to train on, since none of its 2 rows has a trained token (line 1: the chat template leaves out the tool call "read_boiler" of messages[1]); take a chat template that prints it, or put it into a turn that this one prints.',
    );
  });

  test('a note tells how many, with the first', async () => {
    const read = await reader(content);
    const { notes, rows, skipped } = await read(
      PLAIN,
      { messages: [USER, CALL] },
      { messages: [USER, CALL] },
    );
    expect([rows.length, skipped.length]).toEqual([1, 2]);
    expect(notes).toEqual([
      't.jsonl: 2 rows are skipped, since without what the chat template leaves out of them the answers would teach something else (the first: the chat template leaves out the tool call "read_boiler" of messages[1]); take a chat template that prints it, or put it into a turn that this one prints.',
    ]);
  });
});

describe('keys without an effect are listed once a file', () => {
  /** The keys that the note lists. */
  async function listed(read: Awaited<ReturnType<typeof reader>>, ...rows: object[]): Promise<string[]> {
    const { notes, skipped } = await read(PLAIN, ...rows);
    expect(skipped).toEqual([]);
    expect(notes.length).toBeLessThan(2);
    return notes[0]?.replace(/.*keys without effect: (.*)\.$/, '$1').split(', ') ?? [];
  }
  const calls =
    '{% if m.tool_calls %}{% for c in m.tool_calls %}{{ c.function | tojson }}{% endfor %}{% else %}{{ m.content }}{% endif %}';

  test('what a call’s turn says beside it, and keys that the template reads of other turns only', async () => {
    const read = await reader(`{% if m.role == 'tool' %}({{ m.name }}){% endif %}${calls}`);
    const row = { messages: [{ ...USER, name: 'ann' }, CALL, TOOL, ANSWER] };
    expect(await listed(read, row, row)).toEqual([
      'messages[].name (2 rows)',
      'messages[].content beside tool_calls (2 rows)',
      'messages[].tool_call_id (2 rows)',
    ]);
  });

  test('tools, and arguments that change nothing', async () => {
    const read = await reader(
      '{{ m.content }}',
      "{% if mood is defined and mood == 'dry' %}Dry. {% endif %}",
    );
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(await listed(read, { ...PLAIN, tools })).toEqual(['tools (1 row)']);
    const row = (kwargs: object) => ({ ...PLAIN, chat_template_kwargs: kwargs });
    expect(await listed(read, row({ mood: 'dry', tone: 'low', deep: true }))).toEqual([
      'chat_template_kwargs.tone (1 row)',
      'chat_template_kwargs.deep (1 row)',
    ]);
  });

  test('a system text, which the model would not get when it is asked either', async () => {
    const read = await reader("{% if m.role != 'system' %}{{ m.content }}{% endif %}");
    const system = { role: 'system', content: 'Be brief.' };
    const [first, second] = [{ messages: [system, ...PLAIN.messages] }, { system: 'Be brief.', ...PLAIN }];
    expect(await listed(read, first, second)).toEqual([
      'messages[].content of system (1 row)',
      'system (1 row)',
    ]);
  });

  test('an argument that changes only the opening of an answer has an effect', async () => {
    const template =
      "{% for m in messages %}{{ '<' + m.role + '>' + m.content }}<|end|>{% endfor %}" +
      "{% if add_generation_prompt %}{{ '<assistant>' }}{% if quiet %}(quiet){% endif %}{% endif %}";
    const tokenizer = await tinyTokenizer({ special: ['<|end|>'], template });
    const text = JSON.stringify({ ...PLAIN, chat_template_kwargs: { quiet: true } });
    const { notes } = await encodeRows(source('t.jsonl', text), tokenizer, { maxLength: 1000 });
    expect(notes).toEqual([]);
  });

  test('numbers, yes and no of turns, where they change nothing', async () => {
    const read = await reader('{% if m.urgent %}!{% endif %}{{ m.content }}');
    const turns = [
      { ...USER, urgent: true, turn_id: 4, seen: false },
      { ...ANSWER, urgent: false },
    ];
    expect(await listed(read, { messages: turns })).toEqual([
      'messages[].turn_id (1 row)',
      'messages[].seen (1 row)',
    ]);
  });
});

describe('thoughts', () => {
  // As Qwen3's and DeepSeek's templates have it: only the last answer keeps them, or none does.
  const last =
    "{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}{% else %}{% if m.reasoning_content and loop.last %}{{ '<think>' + m.reasoning_content + '</think>' }}{% endif %}{{ m.content }}{% endif %}";
  const thinking = { role: 'assistant', content: '<think>\nwhy\n</think>\n\nSo.' };
  const reasoning = { role: 'assistant', content: 'So.', reasoning_content: 'why' };

  test('that are printed, or left out of answers that are not trained, are no matter for a note', async () => {
    const read = await reader(last);
    for (const turn of [thinking, reasoning]) {
      expect((await read({ messages: [USER, turn] })).notes).toEqual([]);
      const context = { messages: [USER, { ...turn, weight: 0 }, USER, ANSWER] };
      expect((await read(context)).notes).toEqual([]);
      const split = { prompt: [USER, turn, USER], completion: [ANSWER] };
      expect((await read(split)).notes).toEqual([]);
    }
  });

  test('that are left out of answers that are trained get one note, and the row is trained', async () => {
    const read = await reader(last);
    const of = (turn: object) => ({ messages: [USER, turn, USER, ANSWER] });
    const { notes, rows } = await read(of(thinking), of(thinking));
    expect(rows).toHaveLength(2);
    expect(notes).toEqual([
      't.jsonl: of 2 rows the chat template prints a turn in part only, such as an answer without its thoughts (<think>…</think>), and that is what is trained.',
    ]);
    expect((await read(of(reasoning))).notes).toEqual([
      expect.stringMatching(/keys without effect: messages\[\]\.reasoning_content \(1 row\)\.$/),
    ]);
  });

  test('a question in part is noted, too', async () => {
    const read = await reader("{{ m.content.split('#')[0] }}");
    const row = { messages: [{ role: 'user', content: 'q # r' }, ANSWER] };
    expect((await read(row)).notes).toEqual([expect.stringMatching(/^t\.jsonl: of 1 row the chat template/)]);
  });
});

test('one key of many turns that has an effect does not hide another that has none', async () => {
  const read = await reader('{% if m.flag %}!{% endif %}{{ m.content }}');
  const messages = Array.from({ length: 60 }, (_, i) => [
    { role: 'user', content: `q${i}`, turn: i, flag: i % 2 === 0 },
    { role: 'assistant', content: `a${i}` },
  ]).flat();
  expect((await read({ messages })).notes).toEqual([
    expect.stringMatching(/keys without effect: messages\[\]\.turn \(1 row\)\.$/),
  ]);
});
