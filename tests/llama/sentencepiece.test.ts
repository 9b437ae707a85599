import { describe, expect, it } from 'vitest';
import { ggufExport } from '../../src/export/gguf/model.ts';
import { SENTENCEPIECE, sentencePieceSource, VARIANTS } from '../support/sentencepiece.ts';
import { LlamaModel } from './llama.ts';
import { written } from './written.ts';

/** The texts that a note tells to get other tokens in llama.cpp, by what is at their beginning or after a token. */
const OTHERS: Readonly<Partial<Record<string, RegExp>>> = {
  always: /(?:^|<tool>|<\|end\|>)[ ▁]/,
  first: /^[ ▁]|(?:<tool>|<\|end\|>|<s>)[^<]/,
};

describe.each(VARIANTS)('a SentencePiece vocabulary: %s', (variant) => {
  const { texts, marked, ids } = SENTENCEPIECE;

  it('gives the ids of the tokenizers library, except where a note says that it does not', async () => {
    const source = await sentencePieceSource(variant);
    await using llama = await LlamaModel.open(
      await written(await ggufExport(source, 'f32', `${variant}.gguf`)),
    );
    const told = new Set([...texts, ...marked].filter((text) => OTHERS[variant]?.test(text)));
    const compared = [
      ...texts.map((text, i) => ({
        text,
        found: llama.model.tokenize(text, false),
        python: ids[variant].plain[i]!,
      })),
      ...marked.map((text, i) => ({
        text,
        found: llama.model.tokenize(text, true),
        python: ids[variant].marked[i]!,
      })),
    ];
    const different = compared.filter(
      ({ found, python }) => JSON.stringify(found) !== JSON.stringify(python),
    );
    expect(new Set(different.map(({ text }) => text))).toEqual(told);
    expect(llama.model.tokens.shouldPrependBosToken).toBe(true);
  });
});
