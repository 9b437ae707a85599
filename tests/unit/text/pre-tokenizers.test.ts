import { Tokenizer } from '@huggingface/tokenizers';
import { expect, it } from 'vitest';
import { boundPipeline, Bounds } from '../../../src/text/bound-pipeline.ts';
import { checkTokenizer } from '../../../src/text/check-tokenizer.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import golden from '../../fixtures/text/pre_tokenizers.json' with { type: 'json' };
import { memoryFolder } from '../../support/memory-folder.ts';

// tests/reference/make_pre_tokenizers.py
const { texts } = golden;
const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };

/** The steps of a tokenizer that has one of them. */
function stepsOf(kind: 'normalizer' | 'pre_tokenizer', step: object) {
  const none = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  const json = { ...none, added_tokens: [], model, [kind]: step };
  checkTokenizer(json, 'tokenizer.json');
  const pipeline = new Tokenizer(json, {});
  const bounds = new Bounds();
  boundPipeline(pipeline, json.pre_tokenizer, bounds);
  return { pipeline, bounds };
}

it.each(golden.pre_tokenizers.map(({ step, out }) => [JSON.stringify(step), step, out] as const))(
  'cuts as Python’s %s does',
  (_, step, out) => {
    const { pipeline, bounds } = stepsOf('pre_tokenizer', step);
    const found = texts.map((text) => {
      bounds.begin(text);
      return text === '' ? [] : pipeline.pre_tokenizer!(text, { section_index: 0 });
    });
    expect(found).toEqual(out);
  },
);

it.each(golden.normalizers.map(({ step, out }) => [JSON.stringify(step), step, out] as const))(
  'writes as Python’s %s does',
  (_, step, out) => {
    const { pipeline, bounds } = stepsOf('normalizer', step);
    const found = texts.map((text) => {
      bounds.begin(text);
      return pipeline.normalizer!(text);
    });
    expect(found).toEqual(out);
  },
);

it('has the ids of a tokenizer like Gemma’s, whose Split looks for spaces that the normalizer took away', async () => {
  const { json, ids } = golden.gemma;
  const tokenizer = await loadTokenizer(
    memoryFolder('gemma', { 'tokenizer.json': JSON.stringify(json), 'tokenizer_config.json': '{}' }),
  );
  expect(texts.map((text) => tokenizer.encodeScaffold(text))).toEqual(ids);
  const text = 'the 東京\n\n  hello é 👍🏽 23';
  expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
});
