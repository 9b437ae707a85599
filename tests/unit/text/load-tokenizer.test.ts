import { describe, expect, test } from 'vitest';
import { templateFor } from '../../../src/text/chat-template-files.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import type { TextTokenizer } from '../../../src/text/tokenizer.ts';
import { fixtureFiles, type MemoryFiles, memoryFolder } from '../../support/memory-folder.ts';
import { tinyFiles, tinyTokenizer, tinyTokenizerJson } from '../../support/tiny-tokenizer.ts';

const defaultOf = ({ templates }: TextTokenizer) => templateFor(templates, false)?.text;
const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];

test('a folder written by transformers: ids, names and template', async () => {
  const tokenizer = await loadTokenizer(memoryFolder('base', fixtureFiles('cases/chat_messages/base')));
  expect(tokenizer.eosId).toBe(445);
  expect(tokenizer.padId).toBe(446);
  expect(tokenizer.vocabSize).toBe(448);
  expect(defaultOf(tokenizer)).toContain('<|im_start|>');
});

test('the post-processor’s tokens frame a text', async () => {
  const post_processor = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
  };
  const tokenizer = await tinyTokenizer({ special: ['<s>'], json: { post_processor } });
  expect([tokenizer.prefix, tokenizer.suffix]).toEqual([[256], []]);
});

test('added tokens: longest first, white space swallowed where they say so, ordinary ones in any text', async () => {
  const json = tinyTokenizerJson(['<a>', '<a><b>'], ['<tool>']);
  (json['added_tokens'] as Record<string, unknown>[])[0]!['lstrip'] = true;
  (json['added_tokens'] as Record<string, unknown>[])[2]!['rstrip'] = true;
  const tokenizer = await tinyTokenizer({ special: [], json });
  expect(tokenizer.encodeScaffold('x<a><b>')).toEqual([...bytes('x'), 257]);
  expect(tokenizer.encodeScaffold('x <a>y<tool> \n z')).toEqual([
    ...bytes('x'),
    256,
    ...bytes('y'),
    258,
    ...bytes('z'),
  ]);
  expect(tokenizer.encode('<a> <tool>z')).toEqual([...bytes('<a> '), 258, ...bytes('z')]);
});

test('where the chat template comes from', async () => {
  const special = ['<|im_end|>'];
  const inConfig = (chat_template: unknown) => tinyTokenizer({ special, config: { chat_template } });
  expect(defaultOf(await inConfig('{{ 1 }}'))).toBe('{{ 1 }}');
  const list = [
    { name: 'tool_use', template: 'T' },
    { name: 'default', template: 'D' },
  ];
  expect(defaultOf(await inConfig(list))).toBe('D');
  expect(templateFor((await inConfig(list)).templates, true)?.text).toBe('T');
  expect(templateFor((await inConfig('{{ 1 }}')).templates, true)?.text).toBe('{{ 1 }}');
  const both = await tinyTokenizer({ special, config: { chat_template: 'old' }, template: 'new' });
  expect(defaultOf(both)).toBe('new');
  expect(defaultOf(await tinyTokenizer({ special }))).toBeUndefined();
  const files = tinyFiles({ special, config: { chat_template: list }, template: 'new' });
  const more = { ...files, 'additional_chat_templates/tool_use.jinja': 'tools' };
  const { templates } = await loadTokenizer(memoryFolder('m', more));
  expect([templateFor(templates, false), templateFor(templates, true)]).toEqual([
    { text: 'new', file: 'm/chat_template.jinja' },
    { text: 'tools', file: 'm/additional_chat_templates/tool_use.jinja' },
  ]);
});

test('a named token may be written as an object, and may lie in the vocabulary itself', async () => {
  const tokenizer = await tinyTokenizer({
    special: ['</s>'],
    config: { eos_token: { content: '</s>' }, pad_token: 'a', bos_token: null },
  });
  expect(tokenizer.eosId).toBe(256);
  expect(tokenizer.padId).toBe(97);
});

test('tokens that only tokenizer_config.json has, with and without names', async () => {
  const tokenizer = await tinyTokenizer({
    special: ['</s>'],
    config: {
      eos_token: '</s>',
      pad_token: '<pad>',
      extra_special_tokens: { boi_token: '<boi>' },
      additional_special_tokens: ['<x>'],
    },
  });
  expect(tokenizer.padId).toBe(257);
  expect(tokenizer.encodeScaffold('</s><pad><boi><x>')).toEqual([256, 257, 258, 259]);
  expect(tokenizer.encode('<x>')).toEqual([...bytes('<x>')]);
});

describe('bad folders', () => {
  const files = tinyFiles({ special: ['</s>'] });
  const refuse = (change: MemoryFiles) => loadTokenizer(memoryFolder('m', { ...files, ...change }));

  test.each<[string, MemoryFiles, string]>([
    ['broken JSON', { 'tokenizer.json': '{"model": }' }, 'm/tokenizer.json: not valid JSON at line 1'],
    [
      'no object',
      { 'tokenizer.json': '[]' },
      'm/tokenizer.json: expected a JSON object; download the file again.',
    ],
    [
      'another model',
      { 'tokenizer.json': '{"model": {"type": "Unigram", "vocab": []}}' },
      'm/tokenizer.json: model.type is "Unigram", expected "BPE", the kind that Qwen2, Qwen3 and Llama have; use such a base model.',
    ],
    ['no model', { 'tokenizer.json': '{}' }, 'm/tokenizer.json: model.type is null, expected "BPE"'],
    [
      'a broken model',
      { 'tokenizer.json': '{"model": {"type": "BPE", "vocab": {}}}' },
      'm/tokenizer.json: model.merges is nothing, expected a list of pairs of tokens; download it',
    ],
    [
      'a token without id',
      { 'tokenizer.json': JSON.stringify({ ...tinyTokenizerJson([]), added_tokens: [{ content: 'x' }] }) },
      'm/tokenizer.json: added_tokens[0] has no "id" (a whole number) or no "content" (a text); download the file again.',
    ],
    ...[
      ['eos_token', '5', ' is 5, expected a token; take the file'],
      ['eos_token', '{}', '.content is null, expected a text of at most 1,000 characters'],
      ['pad_token', '{"content": "<p>", "lstrip": 1}', '.lstrip is 1, expected true or false'],
      ['additional_special_tokens', '{"a": 1}', ' is {"a":1}, expected a list of tokens'],
      ['additional_special_tokens', '["<a>", 1]', '[1] is 1, expected a token'],
      ['added_tokens_decoder', '[]', ' is [], expected tokens by their ids'],
      [
        'added_tokens_decoder',
        '{"x": {"content": "<x>"}}',
        '["x"] is {"content":"<x>"}, expected a token under',
      ],
      ['added_tokens_decoder', '{"256": {"special": true}}', '["256"].content is null, expected a text'],
    ].map(([key, value, found]): [string, MemoryFiles, string] => [
      `${key} ${value}`,
      { 'tokenizer_config.json': `{"${key}": ${value}}` },
      `m/tokenizer_config.json: ${key}${found}`,
    ]),
    [
      'a template of no kind',
      { 'tokenizer_config.json': '{"chat_template": [{"name": "rag", "template": ""}]}' },
      'm/tokenizer_config.json: chat_template is neither a text nor a list with a template named "default"; take the file from the base model\'s repository.',
    ],
    [
      'a template that is not UTF-8',
      { 'chat_template.jinja': new Uint8Array([0xff]) },
      'm/chat_template.jinja: not valid UTF-8, expected a chat template; download or export it again.',
    ],
  ])('%s', async (_, change, sentence) => {
    const error = await refuse(change).catch((e: unknown) => e as Error);
    expect(error).toMatchObject({ name: 'UserError' });
    expect((error as Error).message.slice(0, sentence.length)).toBe(sentence);
  });

  test('no tokenizer.json', async () => {
    await expect(loadTokenizer(memoryFolder('m', {}))).rejects.toThrow(
      "m: tokenizer.json is missing; copy it from the base model's repository into this folder.",
    );
  });
});
