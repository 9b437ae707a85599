import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/formats/user-error.ts';
import { ChatTemplate } from '../../../src/text/chat-template.ts';
import type { TextTokenizer } from '../../../src/text/tokenizer.ts';
import golden from '../../fixtures/text/added_tokens.json' with { type: 'json' };
import { tinyTokenizer, tinyTokenizerJson } from '../../support/tiny-tokenizer.ts';

/** A byte-level tokenizer with the merges of the fixtures. */
function load(more: {
  normalizer: unknown;
  added_tokens: unknown[];
  config: object;
}): Promise<TextTokenizer> {
  const { config, ...json } = more;
  const own = tinyTokenizerJson([]);
  const model = own['model'] as { vocab: Record<string, number> };
  const merged = golden.merges.map((pair, i) => [pair.join(''), 256 + i]);
  const vocab = { ...model.vocab, ...Object.fromEntries(merged) } as object;
  return tinyTokenizer({
    special: [],
    config: config as Record<string, unknown>,
    json: { ...own, ...json, model: { ...model, vocab, merges: golden.merges } },
  });
}

describe('added tokens are Python’s', () => {
  const refused: string[] = [];
  let texts = 0;

  it.each(golden.tokenizers.map((one, i) => [i, one] as const))('tokenizer %i', async (_, one) => {
    const tokenizer = await load(one).catch((error: unknown) => {
      if (error instanceof UserError) {
        refused.push(error.message);
      } else {
        throw error;
      }
    });
    if (!tokenizer) {
      return;
    }
    const tokens = [...tokenizer.added.byContent.values()].toSorted((a, b) => a.id - b.id);
    expect(
      tokens.map((t) => [t.id, t.content, t.special, t.lstrip, t.rstrip, t.singleWord, t.normalized]),
    ).toEqual(one.tokens);
    for (const [text, all, split] of one.texts as [string, number[] | null, number[] | null][]) {
      if (!all || !split) {
        continue;
      }
      expect([text, tokenizer.encodeScaffold(text)]).toEqual([text, all]);
      expect([text, tokenizer.encode(text)]).toEqual([text, split]);
      texts++;
    }
  });

  it('or refused by name, where two become one text', () => {
    expect(texts).toBeGreaterThan(1500);
    expect(refused).toEqual([
      'the added token "_" becomes what " " becomes by the normalizer, so that no text can mean it; remove one, or set its "normalized" to false',
    ]);
  });
});

describe('control tokens that a turn spells out stay text', () => {
  const turn = (content: string) => [
    new Map([
      ['role', 'user'],
      ['content', content],
    ]),
  ];

  it.each(golden.tokenizers.map((one, i) => [i, one] as const))('tokenizer %i', async (_, one) => {
    const tokenizer = await load(one).catch(() => undefined);
    if (!tokenizer) {
      return;
    }
    const tokens = [...tokenizer.added.byContent.values()];
    // Where one lies in another, the whole is spelled out, and white space in a hidden one is nobody's to swallow.
    const special = tokens.filter((token) => token.special);
    const unlike = special.some(
      (a) =>
        /^\s|\s$/u.test(a.content) ||
        tokens.some((b) => a !== b && (a.content.includes(b.content) || b.content.includes(a.content))),
    );
    const control = tokens
      .filter(({ special, id }) => special && id >= 256 + golden.merges.length)
      .map(({ id }) => id);
    const template = '{% for m in messages %}{{ m.content }}{% endfor %}';
    const chat = new ChatTemplate(
      Object.assign(Object.create(tokenizer) as TextTokenizer, {
        templates: { byName: new Map([['default', { text: template, file: 't' }]]), tokens: new Map() },
      }),
    );
    for (const [text, , split] of one.texts as [string, unknown, number[] | null][]) {
      let ids: number[];
      try {
        ids = chat.prompt({ messages: turn(text) });
      } catch (error) {
        expect((error as Error).message).toMatch(/once the tokenizer has normalized it; change the text$/);
        continue;
      }
      expect([text, ids.filter((id) => control.includes(id))]).toEqual([text, []]);
      if (split && !unlike) {
        expect([text, ids]).toEqual([text, split]);
      }
    }
  });
});
