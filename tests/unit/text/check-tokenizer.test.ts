import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { encodeSpans } from '../../../src/text/spans.ts';
import { SpecialTokenEscaping } from '../../../src/text/special-token-escaping.ts';
import { memoryFolder } from '../../support/memory-folder.ts';
import { tinyFiles, tinyTokenizer, tinyTokenizerJson } from '../../support/tiny-tokenizer.ts';

type Json = Record<string, unknown>;
const AGAIN = "; download it from the base model's repository again.";
const OTHER = 'use a base model with another tokenizer.';

/** Loads a tiny tokenizer.json with changes; `model` changes its model. */
function load(json: Json, model: Json = {}) {
  const own = tinyTokenizerJson(['<s>', '</s>']);
  return tinyTokenizer({
    special: [],
    json: { ...own, ...json, model: { ...(own['model'] as Json), ...model } },
  });
}
const added = (...tokens: Json[]): Json => ({ added_tokens: tokens });
const vocab = (change: Json): Json => ({
  vocab: { ...((tinyTokenizerJson([])['model'] as Json)['vocab'] as Json), ...change },
});

describe('ids', () => {
  test.each([-1, 1.5, '7', 4294967295, 2 ** 24, null, true, [5]])('%j is none', async (id) => {
    const shown = JSON.stringify(id);
    await expect(load({}, vocab({ new: id }))).rejects.toThrow(
      `tiny/tokenizer.json: model.vocab gives the token "new" the id ${shown}, expected a whole number from 0 to 16,777,215${AGAIN}`,
    );
    await expect(load(added({ id, content: 'new' }))).rejects.toThrow(
      `tiny/tokenizer.json: added_tokens[0] gives the token "new" the id ${shown}, expected a whole number`,
    );
  });

  test('belong to one token each', async () => {
    await expect(load({}, vocab({ new: 97 }))).rejects.toThrow(
      `model.vocab gives the token "new" the id 97, which is that of the token "a"${AGAIN}`,
    );
    await expect(load(added({ id: 97, content: 'new' }))).rejects.toThrow(
      `added_tokens[0] gives the token "new" the id 97, which is that of the token "a"${AGAIN}`,
    );
    await expect(load(added({ id: 300, content: 'a' }))).rejects.toThrow(
      `added_tokens[0] gives the token "a" the id 300, but it has the id 97 already${AGAIN}`,
    );
    const same = await load(added({ id: 97, content: 'a' }, { id: 256, content: '<x>' }));
    expect(same.vocabSize).toBe(257);
    await expect(load(added({ id: 300, content: '<x>' }))).rejects.toThrow(
      'added_tokens[0] gives the token "<x>" the id 300, but the tokenizers library counts on to 256, so that Python trains another token; take the file',
    );
  });
});

describe('parts that do not fit together', () => {
  const single = (...pieces: Json[]): Json => ({
    post_processor: { type: 'TemplateProcessing', single: pieces, pair: [] },
  });
  const step = (kind: string, value: unknown): Json => ({ [kind]: value });
  const regex = { pattern: { Regex: 'a' } };
  test.each<[Json, string]>([
    [
      single({ SpecialToken: { id: '<none>', type_id: 0 } }),
      'post_processor.single[0].SpecialToken.id is "<none>", a token that is not there',
    ],
    [single({ Sequence: { id: 'B' } }), 'post_processor.single[0].Sequence.id is "B", expected "A"'],
    [single({ Other: {} }), 'post_processor.single[0] is {"Other":{}}, expected'],
    [
      step('post_processor', { type: 'TemplateProcessing' }),
      'post_processor.single is nothing, expected a list',
    ],
    [
      step('post_processor', { type: 'BertProcessing', sep: ['zz', 1], cls: ['<s>', 256] }),
      'post_processor.sep is "zz", a token that is not there',
    ],
    [
      step('post_processor', { type: 'RobertaProcessing', cls: ['<s>', 256] }),
      'post_processor.sep is nothing, expected a token and its id',
    ],
    [
      step('normalizer', { type: 'None' }),
      'normalizer.type is "None", expected one of Sequence, BertNormalizer',
    ],
    [step('normalizer', 5), 'normalizer is 5, expected an object with a type'],
    [step('normalizer', { type: 'Sequence' }), 'normalizer.normalizers is nothing, expected a list of steps'],
    [
      step('normalizer', { type: 'Sequence', normalizers: [{ type: 'NFC' }, null] }),
      'normalizer.normalizers[1] is null',
    ],
    [step('normalizer', { type: 'Prepend' }), 'normalizer.prepend is nothing, expected a text'],
    [
      step('normalizer', { type: 'Replace', pattern: {}, content: '' }),
      'normalizer.pattern is {}, expected {"Regex": "…"} or {"String": "…"}',
    ],
    [
      step('normalizer', { type: 'Replace', ...regex, content: 'x'.repeat(1001) }),
      'expected a text of at most 1,000 characters',
    ],
    [step('pre_tokenizer', { type: 'toString' }), 'pre_tokenizer.type is "toString", expected one of'],
    [
      step('pre_tokenizer', { type: 'FixedLength', length: 0 }),
      'pre_tokenizer.length is 0, expected a whole number from 1 on',
    ],
    [
      step('pre_tokenizer', { type: 'Metaspace', replacement: '' }),
      'pre_tokenizer.replacement is "", expected one character',
    ],
    [
      step('pre_tokenizer', { type: 'Split', ...regex, behavior: 'Merged' }),
      'pre_tokenizer.behavior is "Merged", expected "Isolated" or "Removed" or "MergedWithPrevious"',
    ],
    [
      step('pre_tokenizer', { type: 'Punctuation', behavior: 'isolated' }),
      'pre_tokenizer.behavior is "isolated", expected "Isolated" or',
    ],
    [
      step('pre_tokenizer', { type: 'Metaspace', add_prefix_space: false, prepend_scheme: 'first' }),
      'pre_tokenizer.prepend_scheme is "first", expected "never" beside add_prefix_space: false',
    ],
    [
      step('pre_tokenizer', { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' }),
      'not a tokenizer that Retune can use (',
    ],
    [
      step('decoder', { type: 'Strip', content: ' ', start: -1, stop: 0 }),
      'decoder.start is -1, expected a whole number from 0 on',
    ],
    [
      step('decoder', { type: 'Sequence', decoders: Array(65).fill({ type: 'Fuse' }) }),
      'it has more than 64 steps',
    ],
    [added({ id: 300, content: 'x'.repeat(1001) }), 'expected a text of at most 1,000 characters'],
    [added({ id: 300, content: '' }), 'added_tokens[0].content is "", expected a text'],
    [
      added({ id: 300, content: 'x', special: 'yes' }),
      'added_tokens[0].special is "yes", expected true or false',
    ],
    [step('added_tokens', 5), 'added_tokens is not a list'],
  ])('%j', async (json, sentence) => {
    const error = await load(json).catch((e: unknown) => e as Error);
    expect(error).toMatchObject({ name: 'UserError' });
    expect((error as Error).message).toContain(
      `tiny/tokenizer.json: ${sentence.startsWith('expected') ? '' : sentence}`,
    );
    expect((error as Error).message).toContain(sentence);
  });

  test.each<[Json, string]>([
    [{ merges: ['a zz'] }, 'model.merges[0] needs the token "zz", which model.vocab does not have'],
    [{ merges: [['a', 'b']] }, 'model.merges[0] needs the token "ab", which model.vocab does not have'],
    [{ merges: ['a'] }, 'model.merges[0] is "a", expected a pair of tokens'],
    [{ merges: ['a b c'] }, 'model.merges[0] is "a b c", expected a pair of tokens'],
    [{ merges: [['a', 5]] }, 'model.merges[0] is ["a",5], expected a pair of tokens'],
    [{ merges: {} }, 'model.merges is {}, expected a list of pairs of tokens'],
    [{ vocab: [] }, 'model.vocab is [], expected tokens and their ids'],
    [{ unk_token: '<unk>' }, 'model.unk_token is "<unk>", a token that is not there'],
    [{ dropout: 0.1 }, `model.dropout is 0.1, which Retune does not support (only 0); ${OTHER}`],
    [
      { continuing_subword_prefix: '##' },
      `model.continuing_subword_prefix is "##", which Retune does not support (only ""); ${OTHER}`,
    ],
    [{ byte_fallback: 'yes' }, 'model.byte_fallback is "yes", expected true or false'],
  ])('model: %j', async (model, sentence) => {
    await expect(load({}, model)).rejects.toThrow(`tiny/tokenizer.json: ${sentence}`);
  });

  test.each([
    ['normalizer', 'Nmt'],
    ['normalizer', 'Precompiled'],
    ['pre_tokenizer', 'UnicodeScripts'],
    ['pre_tokenizer', 'CharDelimiterSplit'],
  ])('a %s that Python knows and Retune does not is no broken file: %s', async (kind, type) => {
    await expect(load({ [kind]: { type } })).rejects.toThrow(
      `tiny/tokenizer.json: ${kind}.type is "${type}", which Retune does not support; ${OTHER}`,
    );
  });

  test('merges of both spellings', async () => {
    for (const merges of [['a b'], [['a', 'b']]]) {
      const tokenizer = await load({ added_tokens: [] }, { ...vocab({ ab: 300 }), merges });
      expect(tokenizer.encode('abc')).toEqual([300, 99]);
    }
  });
});

describe('foreign steps', () => {
  const split = (Regex: string, more: Json = { behavior: 'Isolated' }): Json => ({
    added_tokens: [],
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex }, ...more },
        { type: 'ByteLevel', use_regex: false },
      ],
    },
  });
  const merges = { ...vocab({ ab: 300, ba: 301 }), merges: ['a b', 'b a'] };

  test.each(['(a+)+b', '(a|a)*b', '(?:a?){30}a{30}b'])(
    '%s on forty a’s ends in a sentence',
    async (pattern) => {
      const tokenizer = await load(split(pattern));
      expect(tokenizer.encode('aab c')).toEqual([97, 97, 98, 32, 99]);
      expect(() => tokenizer.encode('a'.repeat(40))).toThrow(
        "tiny/tokenizer.json cannot be used on this (its expressions take too much work on a text); take it from the base model's repository again, or shorten the text",
      );
    },
  );

  test('a pattern that no model is known by cuts as Python has it', async () => {
    const cut = async (more: Json): Promise<number[]> =>
      (await load(split('b', more), merges)).encode('abba');
    expect(await cut({ behavior: 'Isolated', invert: false })).toEqual([97, 98, 98, 97]);
    expect(await cut({ behavior: 'Removed', invert: false })).toEqual([97, 97]);
    expect(await cut({ behavior: 'Removed', invert: true })).toEqual([98, 98]);
  });

  test('normalizers that double a text 24 times are refused, those that do it twice are not', async () => {
    const double = { type: 'Replace', pattern: { String: 'a' }, content: 'aa' };
    const doubling = (n: number) =>
      load({ normalizer: { type: 'Sequence', normalizers: Array(n).fill(double) } });
    expect((await doubling(2)).encode('aab')).toEqual([...Array<number>(8).fill(97), 98]);
    const many = await doubling(24);
    expect(() => many.encode('a'.repeat(1000))).toThrow(
      'tiny/tokenizer.json cannot be used on this (its normalizers make a text more than 32 times as long)',
    );
  });

  test('what is written for a match stands as it is', async () => {
    const normalizer = { type: 'Replace', pattern: { Regex: 'b+' }, content: '$&$1' };
    expect((await load({ normalizer })).decode((await load({ normalizer })).encode('abbc'))).toBe('a$&$1c');
  });

  test('a word of a million characters is told', async () => {
    const tokenizer = await load({ pre_tokenizer: null });
    expect(() => tokenizer.encode('a'.repeat(2 ** 20 + 1))).toThrow(
      'tiny/tokenizer.json leaves a text of 1,048,577 characters in one piece, expected at most 1,048,576; cut the text into several',
    );
  });
});

describe('a token past the embedding', () => {
  const tokenizer = () =>
    loadTokenizer(memoryFolder('m', tinyFiles({ special: ['<s>', '</s>'], ordinary: ['<x>'] })), 257);

  test('is refused only where a text uses it', async () => {
    const own = await tokenizer();
    expect(own.vocabSize).toBe(259);
    expect(own.encodeScaffold('<s>a')).toEqual([256, 97]);
    expect(() => own.encodeScaffold('a</s>')).toThrow(
      'the token "</s>" has the id 257 by m/tokenizer.json, but the model\'s embedding has 257 rows; leave the token out, or take the tokenizer that belongs to the weights',
    );
    expect(() => own.encode('a<x>')).toThrow('the token "<x>" has the id 258 by m/tokenizer.json');
  });

  test('is refused at once where every text begins with it', async () => {
    const post_processor = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '</s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
    };
    const files = tinyFiles({ special: ['<s>', '</s>'], json: { post_processor } });
    await expect(loadTokenizer(memoryFolder('m', files), 257)).rejects.toThrow(
      'the token "</s>" has the id 257 by m/tokenizer.json, but the model\'s embedding has 257 rows',
    );
  });
});

test('50,000 turns of a conversation take no more than their sum', { timeout: 60_000 }, async () => {
  const tokenizer = await tinyTokenizer({ special: ['<s>', '</s>'] });
  const turn = '<s>ab</s>';
  const spans = Array.from({ length: 50_000 }, (_, i) => ({
    begin: turn.length * i + 4,
    end: turn.length * i + 9,
  }));
  const { ids, trained } = encodeSpans(
    tokenizer,
    new SpecialTokenEscaping(tokenizer.added),
    turn.repeat(spans.length),
    spans,
  );
  expect(ids.slice(0, 8)).toEqual([256, 97, 98, 257, 256, 97, 98, 257]);
  expect(trained.slice(-4)).toEqual([0, 0, 1, 1]);
});

test('broken bytes are not held back for ever', async () => {
  const stream = (await tinyTokenizer({ special: [] })).stream();
  const texts = Array.from({ length: 200 }, () => stream.push(0xa2));
  expect(texts.join('') + stream.end()).toBe('\ufffd'.repeat(200));
  expect(texts.filter((text) => text !== '').length).toBeGreaterThan(1);
});
