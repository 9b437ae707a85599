import { describe, expect, it } from 'vitest';
import { parseQuestions } from '../../../src/comparison/questions.ts';
import { openSafetensors } from '../../../src/formats/safetensors.ts';
import { encodeRows } from '../../../src/text/rows.ts';
import { fixtureBytes, source } from '../../support/memory-folder.ts';
import { tinyTokenizer } from '../../support/tiny-tokenizer.ts';

const hostile = (name: string) => source(name, fixtureBytes(`hostile/${name}`));

describe('safetensors that the reference reader decides otherwise than plain JSON', () => {
  it.each([
    ['accepted-depth-128.safetensors', /^accepted-depth-128\.safetensors: the safetensors header is nested /],
    ['accepted-lone-surrogate.safetensors', /half a surrogate pair; /],
    ['accepted-minus-zero.safetensors', /: a has -0 for a size or an offset, expected whole numbers; /],
  ])('is refused: %s', async (name, sentence) => {
    const told = await openSafetensors(hostile(name)).catch(
      (error: Error) => `${error.name} ${error.message}`,
    );
    expect(told).toMatch(/^UserError accepted-[^\n]+\.$/);
    expect((told as string).replace('UserError ', '')).toMatch(sentence);
  });

  it('is accepted: no metadata, spelled null', async () => {
    const { tensors, metadata } = await openSafetensors(hostile('refused-metadata-null.safetensors'));
    expect([tensors.size, metadata]).toEqual([1, {}]);
  });
});

describe('a text that is cut off or badly escaped', () => {
  const tokenizer = tinyTokenizer({ special: ['<|im_end|>'] });
  const readers = {
    rows: async (text: string) => encodeRows(source('x.jsonl', text), await tokenizer, { maxLength: 64 }),
    questions: (text: string) => parseQuestions(source('x.jsonl', text)),
  };
  const whole = new TextDecoder().decode(fixtureBytes('hostile/truncated.jsonl')).trimEnd();

  it.each([
    ['cut', whole, 'a string has no closing quote'],
    [
      'with a control character inside',
      `${whole}\u0001"}`,
      'the control character U+0001 stands in a string',
    ],
    ['with an escape that is none', `${whole}\\x"}`, 'a backslash before "x" is no escape of JSON'],
  ])('is refused at once: %s', async (_, text, problem) => {
    for (const read of Object.values(readers)) {
      const begin = performance.now();
      await expect(read(text)).rejects.toThrow(/^x\.jsonl, line 1: not valid JSON at column \d+: /);
      await expect(read(text)).rejects.toThrow(problem);
      // A generous bound against a hang, which took minutes.
      expect(performance.now() - begin).toBeLessThan(10_000);
    }
  });
});
