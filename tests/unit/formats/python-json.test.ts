import { describe, expect, test } from 'vitest';
import { JsonError, parseJson, PythonFloat } from '../../../src/formats/json.ts';
import { writePythonJson } from '../../../src/formats/python-json.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';

describe('parseJson', () => {
  test.each(['{"a":[1,2.5,-3e-7,true,false,null,"\\u00e9\\n\\"x"],"b":{}}', ' [ ] ', '"é"', '0', '-0.5E+2'])(
    'agrees with JSON.parse on %s',
    (text) => {
      expect(parseJson(text)).toEqual(JSON.parse(text));
    },
  );

  test.each([
    ['', 'it ends too early', 1, 1],
    ['{', 'a string was expected', 1, 2],
    ['[1,]', 'a value was expected', 1, 4],
    ['{"a":1,\n "a":2}', 'the key "a" occurs twice', 2, 2],
    ['{"a" 1}', '":" was expected', 1, 6],
    ['[1 2]', '"," or "]" was expected', 1, 4],
    ['{"a":1 "b":2}', '"," or "}" was expected', 1, 8],
    ['1 2', 'there is more text after its end', 1, 3],
    ['01', 'there is more text after its end', 1, 2],
    ['NaN', 'a value was expected', 1, 1],
    ['"a\nb"', 'the control character U+000A stands in a string, where JSON has \\n for it', 1, 3],
    ['"\\x"', 'a backslash before "x" is no escape of JSON', 1, 2],
    ['['.repeat(200), 'it is nested too deeply', 1, 129],
  ])('refuses %j', (text, problem, line, column) => {
    let error: unknown;
    try {
      parseJson(text);
    } catch (reason) {
      error = reason;
    }
    expect(error).toBeInstanceOf(JsonError);
    expect(error).toMatchObject({ message: problem, line, column });
  });

  test('keeps whole floats apart from ints on request', () => {
    expect(parseJson('[1, 1.0, 1e3, 0.5]', { keepFloats: true })).toEqual([
      1,
      new PythonFloat(1),
      new PythonFloat(1000),
      0.5,
    ]);
  });
});

test('writes what Python’s json.dumps writes', () => {
  const text = new TextDecoder().decode(fixtureBytes('formats/dumps.json'));
  const value = parseJson(text, { keepFloats: true }) as Record<string, unknown>;
  expect(writePythonJson(value)).toBe(text);
  const reversed = Object.fromEntries(Object.entries(value).toReversed());
  expect(writePythonJson(reversed)).toBe(text);
});
