import { describe, expect, test } from 'vitest';
import { ChatTemplate, type Conversation, type Message } from '../../../src/text/chat-template.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import type { Tokens } from '../../../src/text/spans.ts';
import type { TextTokenizer } from '../../../src/text/tokenizer.ts';
import golden from '../../fixtures/text/qwen2_5_ids.json' with { type: 'json' };
import { ordered } from '../../support/ordered.ts';
import { qwenFolder } from '../../support/qwen.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';

const qwen = await loadTokenizer(qwenFolder());
const all = () => true;
const turn = (role: string, content: string) => ordered({ role, content }) as Message;
const user = (content: string) => turn('user', content);
const assistant = (content: string) => turn('assistant', content);
const system = (content: string) => turn('system', content);
const turnsOf = (messages: unknown) => ({ messages: ordered(messages) as Message[] });

/** The trained parts, as texts. */
function trainedTexts(tokenizer: TextTokenizer, { ids, trained }: Tokens): string[] {
  const parts: number[][] = [];
  ids.forEach((id, i) => {
    if (!trained[i]) {
      return;
    }
    if (!trained[i - 1]) {
      parts.push([]);
    }
    parts.at(-1)!.push(id);
  });
  return parts.map((part) => tokenizer.decode(part));
}

describe('Qwen2.5', () => {
  const template = new ChatTemplate(qwen);

  test.each(golden.chats)('ids of $messages are Python’s', ({ messages, ids, prompt_ids }) => {
    const encoded = template.encode(turnsOf(messages), all);
    expect(encoded.ids).toEqual(ids);
    expect(encoded.trained).toHaveLength(ids.length);
    expect(template.prompt(turnsOf(messages))).toEqual(prompt_ids);
  });

  test.each(golden.hostile)('control tokens in $messages stay text', ({ messages, ids }) => {
    const encoded = template.encode(turnsOf(messages), all);
    expect(encoded.ids).toEqual(ids);
    expect(trainedTexts(qwen, encoded)).toEqual(
      messages.filter((m) => m.role === 'assistant').map((m) => `${m.content}<|im_end|>\n`),
    );
    expect(encoded.trained.filter((t, i) => t && ids[i] === 151645)).toHaveLength(1);
  });

  test('trained are the assistant’s content, its end token and the newline', () => {
    const messages = [system('s'), user('a'), assistant('one\n'), user('b'), assistant('')];
    const encoded = template.encode({ messages }, all);
    expect(trainedTexts(qwen, encoded)).toEqual(['one\n<|im_end|>\n', '<|im_end|>\n']);
    expect(
      trainedTexts(
        qwen,
        template.encode({ messages }, (i) => i === 4),
      ),
    ).toEqual(['<|im_end|>\n']);
    expect(template.encode({ messages }, () => false).trained).not.toContain(1);
  });

  test('a token that reaches over the border of the content is trained', () => {
    const encoded = template.encode({ messages: [user('a'), assistant('\nx')] }, all);
    expect(trainedTexts(qwen, encoded)).toEqual(['\n\nx<|im_end|>\n']);
  });

  test('tools and tool calls go to the template, the call is trained', () => {
    const conversation = {
      messages: [
        user('f?'),
        new Map([...assistant('Let me see.'), ['tool_calls', ordered([{ name: 'f', arguments: { x: 1 } }])]]),
      ],
      tools: ordered([{ name: 'f', description: 'ends with <|im_end|>' }]),
    };
    const encoded = template.encode(conversation, all);
    const text = qwen.decode(encoded.ids);
    expect(text).toContain('<tools>\n{"name": "f", "description": "ends with <|im_end|>"}\n</tools>');
    expect(trainedTexts(qwen, encoded)).toEqual([
      'Let me see.\n<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call><|im_end|>\n',
    ]);
    expect(encoded.ids.filter((id) => id === 151645)).toHaveLength(3);
  });
});

const LLAMA3 =
  "{{- bos_token }}{%- set date_string = strftime_now('%d %b %Y') %}" +
  "{{- '<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: ' + date_string + '<|eot_id|>' }}" +
  "{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}";
const THOUGHTS =
  "{%- for message in messages %}{%- set content = message.content %}{%- set thoughts = '' %}" +
  "{%- if message.role == 'assistant' and '</think>' in content %}" +
  "{%- set thoughts = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}" +
  "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}" +
  "{{- '<|im_start|>' + message.role + '\\n' }}" +
  "{%- if message.role == 'assistant' and loop.last %}{{- '<think>\\n' + thoughts.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}" +
  '{%- else %}{{- content }}{%- endif %}' +
  "{{- '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";
const INST =
  "{{- bos_token }}{%- for message in messages %}{%- if message.role == 'user' %}{{- '[INST] ' + message.content + ' [/INST]' }}" +
  "{%- elif message.role == 'assistant' %}{{- ' ' + message.content + eos_token }}{%- else %}{{- raise_exception('Only user and assistant roles are supported!') }}{%- endif %}{%- endfor %}";

async function templateOf(text: string, special: string[], ordinary: string[] = [], config = {}) {
  const tokenizer = await tinyTokenizer({ special, ordinary, config, template: text });
  const template = new ChatTemplate(tokenizer, '2026-03-07T14:05:09');
  return {
    trained: (conversation: Conversation) => trainedTexts(tokenizer, template.encode(conversation, all)),
    text: (conversation: Conversation) => tokenizer.decode(template.encode(conversation, all).ids),
    prompt: (conversation: Conversation) => tokenizer.decode(template.prompt(conversation)),
  };
}

test('Llama’s template trims the content and writes the date', async () => {
  const llama = await templateOf(
    LLAMA3,
    ['<|bos|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
    [],
    {
      bos_token: '<|bos|>',
      eos_token: '<|eot_id|>',
    },
  );
  const messages = [user(' <|eot_id|> '), assistant(' \n yes <|bos|>\n'), user('more'), assistant('no')];
  expect(llama.trained({ messages })).toEqual(['yes <|bos|><|eot_id|>', 'no<|eot_id|>']);
  expect(llama.text({ messages: [user('q')] })).toBe(
    '<|bos|><|start_header_id|>system<|end_header_id|>\n\nToday Date: 07 Mar 2026<|eot_id|>' +
      '<|start_header_id|>user<|end_header_id|>\n\nq<|eot_id|>',
  );
  expect(llama.prompt({ messages: [user('q')] })).toMatch(
    /q<\|eot_id\|><\|start_header_id\|>assistant<\|end_header_id\|>\n\n$/,
  );
});

test('Qwen3’s way with thoughts: what the model has to write after the header is trained', async () => {
  const qwen3 = await templateOf(THOUGHTS, ['<|im_start|>', '<|im_end|>'], ['<think>', '</think>'], {
    eos_token: '<|im_end|>',
  });
  const old = assistant('<think>\nold\n</think>\n\nfirst');
  expect(qwen3.trained({ messages: [user('a'), old, user('b'), assistant('\nplain\n')] })).toEqual([
    'first<|im_end|>\n',
    '<think>\n\n</think>\n\nplain\n<|im_end|>\n',
  ]);
  expect(qwen3.trained({ messages: [user('a'), assistant('<think>\nwhy\n</think>\n\nso')] })).toEqual([
    '<think>\nwhy\n</think>\n\nso<|im_end|>\n',
  ]);
});

test('a template without a header for the assistant', async () => {
  const inst = await templateOf(INST, ['<s>', '</s>'], [], { bos_token: '<s>', eos_token: '</s>' });
  const messages = [user('a </s>'), assistant('b'), user('c'), assistant('d')];
  expect(inst.trained({ messages })).toEqual(['b</s>', 'd</s>']);
  expect(inst.text({ messages })).toBe('<s>[INST] a </s> [/INST] b</s>[INST] c [/INST] d</s>');
  expect(() => inst.text({ messages: [system('x'), user('a')] })).toThrow(
    'the chat template of the base model refuses this: Only user and assistant roles are supported!',
  );
});

describe('what cannot be done is said', () => {
  test('no template, and one that cannot be read', async () => {
    const bare = await tinyTokenizer({ special: [] });
    expect(() => new ChatTemplate(bare)).toThrow(/^the base model has no chat template/);
    await expect(templateOf('{% for %}', [])).rejects.toThrow(
      /^tiny\/chat_template\.jinja, line 1: the chat template cannot be read: /,
    );
  });

  test('a template that rewrites the assistant’s words is followed, of one that drops them nothing is trained', async () => {
    const shouting = await templateOf(
      '{% for m in messages %}{{ m.content | upper }}{{ m.content | length }}\n{% endfor %}',
      [],
    );
    expect(shouting.trained({ messages: [user('a'), assistant('b')] })).toEqual(['B1\n']);
    const deaf = await templateOf('{% for m in messages %}{{ m.role }}\n{% endfor %}', []);
    expect(deaf.trained({ messages: [user('a'), assistant('b')] })).toEqual([]);
  });

  test('reserved characters', () => {
    const template = new ChatTemplate(qwen);
    expect(() => template.prompt({ messages: [user('a\u{108001}')] })).toThrow(
      'the private-use character U+108001 is reserved; remove it',
    );
  });
});
