import { describe, expect, it } from 'vitest';
import { NumberText, PythonFloat } from '../../../src/formats/json.ts';
import { MAX_QUOTED, quote, quoteAll, shorten } from '../../../src/formats/quote.ts';
import { UserError } from '../../../src/formats/user-error.ts';

describe('a quoted value', () => {
  it.each([
    ['it\'s "so"', '"it\'s \\"so\\""'],
    [5e-5, '0.00005'],
    [new PythonFloat(2), '2.0'],
    [new PythonFloat(1e300), '1e+300'],
    [new NumberText('3.50'), '3.50'],
    [Number.NaN, 'NaN'],
    [null, 'null'],
    [undefined, 'nothing'],
    [
      new Map<string, unknown>([
        ['2', 1],
        ['1', []],
      ]),
      '{"2":1,"1":[]}',
    ],
    [[1, ['a', true], {}], '[1,["a",true],{}]'],
    [Object.assign(Object.create(null) as object, { 'a b': [null] }), '{"a b":[null]}'],
  ])('is its JSON: %j', (value, text) => expect(quote(value)).toBe(text));

  it('is cut where it is long, and tells its true length', () => {
    expect(quote('x'.repeat(1234))).toBe(`"${'x'.repeat(199)}…" (1,234 characters)`);
    expect(quote(new Array(5000).fill(7))).toBe(`[${'7,'.repeat(99)}7… (5,000 items)`);
    expect(quote({ long: 'x'.repeat(1e6), other: 1 })).toMatch(/^\{"long":"x{191}… \(2 keys\)$/);
    expect(quote('x'.repeat(198))).toBe(`"${'x'.repeat(198)}"`);
  });

  it('costs no more than what is shown of it', () => {
    // Every list holds the one before twice: 2^60 leaves.
    let doubled: unknown = 1;
    for (let i = 0; i < 60; i++) {
      doubled = [doubled, doubled];
    }
    let deep: unknown = 1;
    for (let i = 0; i < 1e5; i++) {
      deep = [deep];
    }
    for (const value of [doubled, deep]) {
      expect(quote(value).length).toBeLessThan(2 * MAX_QUOTED);
    }
  });
});

it('of many values as many are quoted as there is room for', () => {
  expect(quoteAll(['a', 5])).toBe('"a", 5');
  expect(quoteAll(Array.from({ length: 10_000 }, (_, i) => `key ${i}`))).toMatch(
    /^"key 0", "key 1", .*"key \d+", … \(10,000 in all\)$/,
  );
  expect(quoteAll(['x'.repeat(300), 'y'])).toBe(`"${'x'.repeat(199)}…" (300 characters), … (2 in all)`);
});

it('a long name keeps both its ends', () => {
  expect(shorten('v1/adapter_config.json')).toBe('v1/adapter_config.json');
  expect(shorten(`/a${'b'.repeat(5000)}/c.json`)).toMatch(/^\/ab{98}…b{93}\/c\.json \(5,009 characters\)$/);
});

it('a message has no longer words, whatever its source', () => {
  const short = `${shorten('c'.repeat(5000))} is missing`;
  expect(new UserError(short).message).toBe(short);
  const { message } = new UserError(`${'a'.repeat(5000)}: the tensor ${'b'.repeat(300)} is missing; look.`);
  expect(message).toMatch(
    /^a{100}…a{99}: \(5,001 characters\) the tensor b{100}…b{100} \(300 characters\) is missing; look\.$/,
  );
});
