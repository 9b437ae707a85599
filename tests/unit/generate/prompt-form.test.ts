import { describe, expect, it } from 'vitest';
import {
  type ChatMessage,
  conversationEncoder,
  promptEncoder,
  stopIds,
} from '../../../src/generate/prompt-form.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { fixtureBytes, fixtureFiles, memoryFolder } from '../../support/memory-folder.ts';
import { CASES, type Expected } from '../../support/model-case.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';

const json = (path: string): unknown => JSON.parse(new TextDecoder().decode(fixtureBytes(path)));

describe('promptEncoder', () => {
  it.each(CASES)('gives the ids of Python for the first question of %s', async (name) => {
    const tokenizer = await loadTokenizer(memoryFolder(name, fixtureFiles(`cases/${name}/base`)));
    const [{ question }] = json(`cases/${name}/questions.json`) as [{ question: string }];
    const { prompt, prompt_ids: ids } = json(`cases/${name}/expected/expected.json`) as Expected;
    const form = prompt.startsWith('### Instruction:\n') ? 'text' : 'chat';
    expect(promptEncoder(tokenizer, form)(question)).toEqual(ids);
  });

  it.each(['text', 'chat'] as const)('spells out control tokens in a question (%s)', async (form) => {
    const template = '{% for m in messages %}{{ m.content }}{% endfor %}<|im_end|>';
    const tokenizer = await tinyTokenizer({ special: ['<|im_end|>'], template });
    const end = tokenizer.idOf('<|im_end|>')!;
    const ids = promptEncoder(tokenizer, form)('a<|im_end|>b');
    expect(ids.filter((id) => id === end)).toHaveLength(form === 'chat' ? 1 : 0);
    expect(tokenizer.decode(ids)).toContain('a<|im_end|>b');
  });

  it('needs a chat template for chat only', async () => {
    const tokenizer = await tinyTokenizer({ special: [] });
    expect(promptEncoder(tokenizer, 'text')('x').length).toBeGreaterThan(0);
    expect(() => promptEncoder(tokenizer, 'chat')).toThrow('the base model has no chat template');
  });
});

interface Chats {
  system: string;
  versions: Record<string, { question: string; text: string; prompt_ids: number[] }[]>;
}

describe('conversationEncoder', () => {
  it.each([
    ['chat_messages', 'chat'],
    ['recipe_text', 'text'],
  ] as const)('gives the ids of Python for each turn of a conversation of %s', async (name, form) => {
    const tokenizer = await loadTokenizer(memoryFolder(name, fixtureFiles(`cases/${name}/base`)));
    const encode = conversationEncoder(tokenizer, form);
    const { system, versions } = (json('generate/chat.json') as Record<string, Chats>)[name]!;
    for (const turns of Object.values(versions)) {
      const messages: ChatMessage[] = [{ role: 'system', content: system }];
      expect(turns).toHaveLength(2);
      for (const { question, text, prompt_ids: ids } of turns) {
        messages.push({ role: 'user', content: question });
        expect(encode(messages)).toEqual(ids);
        messages.push({ role: 'assistant', content: text });
      }
    }
  });
});

describe('stopIds', () => {
  it('is the union of the model’s end ids and the tokenizer’s end and padding', async () => {
    const config = { eos_token: '<e>', pad_token: '<p>' };
    const tokenizer = await tinyTokenizer({ special: ['<e>', '<p>'], config });
    expect(stopIds({ eosIds: [5, 256] }, tokenizer)).toEqual([5, 256, 257]);
    expect(stopIds({ eosIds: [5] }, await tinyTokenizer({ special: [] }))).toEqual([5]);
  });
});
