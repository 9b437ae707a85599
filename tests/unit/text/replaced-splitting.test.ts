import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { replacingClass } from '../../../src/text/replaced-splitting.ts';
import { tokenizerNotes } from '../../../src/text/tokenizer-notes.ts';
import { memoryFolder } from '../../support/memory-folder.ts';
import { tinyFiles } from '../../support/tiny-tokenizer.ts';

// What transformers 5.24 does was written down by tests/reference/make_tokenizer_classes.py.

const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const QWEN2 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const SPLITTINGS = {
  smollm: {
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [{ type: 'Digits', individual_digits: true }, BYTE_LEVEL],
    },
  },
  gpt2: { normalizer: null, pre_tokenizer: BYTE_LEVEL },
  qwen2: {
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: QWEN2 }, behavior: 'Isolated', invert: false },
        { ...BYTE_LEVEL, use_regex: false },
      ],
    },
  },
};

describe('the class that splits texts in the place of tokenizer.json', () => {
  const seen = JSON.parse(readFileSync('tests/fixtures/text/tokenizer_classes.json', 'utf8')) as {
    splitting: keyof typeof SPLITTINGS;
    class: string | null;
    model_type: string;
    kept: boolean;
  }[];

  it('is named where transformers has one, and only there', () => {
    expect(seen).toHaveLength(90);
    for (const { splitting, class: name, model_type: modelType, kept } of seen) {
      const config = name === null ? {} : { tokenizer_class: name };
      const replacing = replacingClass(SPLITTINGS[splitting], config, modelType);
      expect(replacing === undefined, `${splitting} ${name} ${modelType}: ${replacing}`).toBe(kept);
    }
  });

  it('is in the notes of a base such as SmolLM2', async () => {
    const files = tinyFiles({
      special: [],
      config: { tokenizer_class: 'GPT2Tokenizer' },
      json: SPLITTINGS.smollm,
    });
    const load = (modelType: string) =>
      loadTokenizer(
        memoryFolder('base', { ...files, 'config.json': JSON.stringify({ model_type: modelType }) }),
      );
    expect(tokenizerNotes(await load('llama'), Infinity)[0]).toMatch(
      /^base\/tokenizer_config\.json: transformers 5 splits texts as GPT2Tokenizer does, Retune as/,
    );
    expect((await load('qwen2')).notes[0]).toContain('as Qwen2Tokenizer does');
    expect((await loadTokenizer(memoryFolder('base', tinyFiles({ special: [] })))).notes).toEqual([]);
  });
});
