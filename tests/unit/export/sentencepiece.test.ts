import { describe, expect, it } from 'vitest';
import { vocabularyOf } from '../../../src/export/gguf/vocabulary.ts';
import { SENTENCEPIECE, sentencePieceSource, VARIANTS } from '../../support/sentencepiece.ts';

// That llama.cpp makes the same ids of these texts is in tests/llama.

describe.each(VARIANTS)('a SentencePiece vocabulary: %s', (variant) => {
  const { texts, marked, ids } = SENTENCEPIECE;

  it('gives the ids of Python', async () => {
    const { tokenizer } = await sentencePieceSource(variant);
    expect(texts.map((text) => tokenizer.encode(text))).toEqual(ids[variant].plain);
    expect(marked.map((text) => tokenizer.encodeScaffold(text))).toEqual(ids[variant].marked);
  });

  it('has llama.cpp’s kinds of tokens and scores that fall from merge to merge', async () => {
    const { metadata, notes } = await vocabularyOf(await sentencePieceSource(variant));
    const value = (key: string) => new Map(metadata).get(`tokenizer.ggml.${key}`)?.value;
    expect(value('model')).toBe('llama');
    expect(value('add_space_prefix')).toBe(variant !== 'never');
    expect(value('add_bos_token')).toBe(true);
    expect([value('bos_token_id'), value('eos_token_id'), value('unknown_token_id')]).toEqual([1, 2, 0]);
    const kinds = value('token_type') as number[];
    expect(kinds.slice(0, 3)).toEqual([2, 3, 3]);
    expect(new Set(kinds.slice(3, 259))).toEqual(new Set([6]));
    expect(kinds.slice(500, 503)).toEqual([3, 4, 5]);
    const merged = (value('scores') as number[]).slice(259, 400);
    expect(merged).toEqual(merged.toSorted((a, b) => b - a));
    expect(merged[0]).toBeGreaterThan(merged.at(-1)!);
    const said = {
      llama2: [],
      never: [],
      always: [/begins with one already/],
      first: [/after every added token/],
    };
    expect(notes).toEqual(said[variant].map((text) => expect.stringMatching(text) as string));
  });
});

describe('a tokenizer with byte_fallback that is not SentencePiece’s', () => {
  const model = SENTENCEPIECE.tokenizer['model'] as { merges: unknown[] };
  const vocabulary = async (change: Record<string, unknown>) =>
    vocabularyOf(await sentencePieceSource('llama2', change));

  it('is told where it lists some ways to make a token only', async () => {
    const fewer = { ...model, merges: model.merges.filter((_, i) => i !== 100) };
    expect((await vocabulary({ model: fewer })).notes).toEqual([
      expect.stringContaining('makes a token of any two that spell it'),
    ]);
  });

  it.each([
    ['Lowercase', { normalizer: { type: 'Lowercase' } }],
    ['Replace', { normalizer: { type: 'Replace', pattern: { String: '-' }, content: '▁' } }],
    ['Metaspace', { pre_tokenizer: { type: 'Metaspace', replacement: '_', prepend_scheme: 'first' } }],
    ['Prepend', { normalizer: { type: 'Prepend', prepend: '_' } }],
  ])('is refused by name: %s', async (type, change) => {
    await expect(vocabulary(change)).rejects.toThrow(
      new RegExp(
        `^base/tokenizer\\.json: a tokenizer with byte_fallback that has the step .*${type}.*, expected`,
      ),
    );
  });
});
