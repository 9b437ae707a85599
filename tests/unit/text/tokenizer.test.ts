import { expect, test } from 'vitest';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import golden from '../../fixtures/text/qwen2_5_ids.json' with { type: 'json' };
import { qwenFolder } from '../../support/qwen.ts';

const qwen = await loadTokenizer(qwenFolder());

test.each(golden.texts)('ids and text of $text are Python’s', ({ text, all, plain, decoded, skipped }) => {
  expect(qwen.encodeScaffold(text)).toEqual(all);
  expect(qwen.encode(text)).toEqual(plain);
  expect(qwen.decode(all)).toBe(decoded);
  expect(qwen.decode(all, { skipSpecial: true })).toBe(skipped);
});

test('a user’s text never becomes a control token, and comes back as it was', () => {
  const control = [...qwen.added.byContent.values()].filter((token) => token.special);
  expect(control.length).toBeGreaterThan(10);
  for (const { id, content } of control) {
    const ids = qwen.encode(`a${content}${content}`);
    expect(ids).not.toContain(id);
    expect(qwen.decode(ids, { skipSpecial: true })).toBe(`a${content}${content}`);
    expect(qwen.encodeScaffold(content)).toEqual([id]);
  }
});

test('the named tokens and the size of the vocabulary', () => {
  expect(qwen.eosId).toBe(151645);
  expect(qwen.padId).toBe(151643);
  expect(qwen.named.bos).toBeUndefined();
  expect(qwen.vocabSize).toBe(151665);
  expect(qwen.decode([151900, 9707, 151935])).toBe('Hello');
  expect([...qwen.prefix, ...qwen.suffix]).toEqual([]);
});

test.each(golden.texts)('streaming $text gives the same text, never half a character', ({ all, decoded }) => {
  const stream = qwen.stream();
  const pieces = [...all.map((id) => stream.push(id)), stream.end()];
  expect(pieces.join('')).toBe(decoded);
  if (!decoded.includes('\ufffd')) {
    expect(pieces.filter((piece) => piece.includes('\ufffd'))).toEqual([]);
  }
});

test('a stream that ends inside a character shows what is there', () => {
  const ids = qwen.encode('𠜎');
  expect(ids.length).toBeGreaterThan(1);
  const stream = qwen.stream();
  expect(ids.slice(0, -1).map((id) => stream.push(id))).toEqual(ids.slice(1).map(() => ''));
  expect(stream.end()).toMatch(/^\ufffd+$/);
  expect(stream.end()).toBe('');
});

test('a broken byte in the middle holds the stream back only until the next character', () => {
  const broken = qwen.encode('𠜎')[0]!;
  const stream = qwen.stream({ skipSpecial: true });
  expect(stream.push(broken)).toBe('');
  expect(stream.push(qwen.encode('a')[0]!)).toMatch(/^\ufffd+a$/);
  expect(stream.push(151645)).toBe('');
  expect(stream.push(qwen.encode('b')[0]!)).toBe('b');
});
