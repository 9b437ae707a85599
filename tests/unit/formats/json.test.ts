import { describe, expect, test } from 'vitest';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import { JsonError, NumberText, parseJson, PythonFloat, readJson } from '../../../src/formats/json.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { fixtureFiles, joinBytes, memoryFolder, source } from '../../support/memory-folder.ts';

const MARK = new Uint8Array([0xef, 0xbb, 0xbf]);

describe('a byte-order mark', () => {
  test('before a JSON file is passed over, and columns count from after it', async () => {
    expect(await readJson(source('a.json', '\ufeff{"a": 1}'))).toEqual({ a: 1 });
    await expect(readJson(source('a.json', '\ufeff{"a" 1}'))).rejects.toThrow(
      'a.json: not valid JSON at line 1, column 6: ":" was expected; correct the file or download it again.',
    );
  });

  test('anywhere else, or twice, is not JSON', async () => {
    for (const text of ['\ufeff\ufeff{}', '{}\ufeff', '{\ufeff}', '\ufeff']) {
      await expect(readJson(source('a.json', text)), JSON.stringify(text)).rejects.toThrow('not valid JSON');
    }
    expect(() => parseJson('\ufeff{}')).toThrow('a value was expected');
  });

  test('before every JSON file of a model changes nothing', async () => {
    const files = fixtureFiles('cases/recipe_text/base');
    const marked = { ...files };
    for (const [name, bytes] of Object.entries(files)) {
      if (name.endsWith('.json')) {
        marked[name] = joinBytes([MARK, bytes as Uint8Array]);
      }
    }
    const [folder, plain] = [memoryFolder('base', marked), memoryFolder('base', files)];
    expect((await openBaseModel(folder)).config).toEqual((await openBaseModel(plain)).config);
    const [found, expected] = [await loadTokenizer(folder), await loadTokenizer(plain)];
    expect(found.vocabSize).toBe(expected.vocabSize);
    expect(found.named).toEqual(expected.named);
  });
});

test('numbers come back as numbers, as Python’s floats or as their text', () => {
  const text = '[1, 1.0, 2.50, -3e2, 12345678901234567890]';
  expect(parseJson(text)).toEqual([1, 1, 2.5, -300, 12345678901234567000]);
  expect(parseJson(text, { keepFloats: true })).toEqual([
    1,
    new PythonFloat(1),
    2.5,
    new PythonFloat(-300),
    new NumberText('12345678901234567890'),
  ]);
  const kept = parseJson(text, { keepNumberText: true });
  expect(kept).toEqual(
    ['1', '1.0', '2.50', '-3e2', '12345678901234567890'].map((number) => new NumberText(number)),
  );
  expect(JSON.stringify(kept)).toBe('[1,1,2.5,-300,12345678901234567000]');
});

test('a number beyond a double is refused where it is, unless its text is kept', () => {
  for (const text of ['1e400', '-1e309', '9'.repeat(400)]) {
    expect(() => parseJson(`{"a": [0, ${text}]}`)).toThrow('a number is larger than a double holds');
    expect(parseJson(text, { keepNumberText: true })).toEqual(new NumberText(text));
  }
  expect(parseJson('[1e308, 1e-400]')).toEqual([1e308, 0]);
});

describe('a string', () => {
  const problem = (text: string): string => {
    try {
      parseJson(text);
    } catch (error) {
      if (error instanceof JsonError) {
        return `${error.line}:${error.column} ${error.message}`;
      }
      throw error;
    }
    return 'accepted';
  };

  test('that is not one is told by its first fault, whatever its length', () => {
    // A pattern with nested repetition needs more than the age of the universe for these.
    const long = 'a '.repeat(100_000);
    expect(problem(`{"text": "${long}`)).toBe('1:10 a string has no closing quote');
    expect(problem(`{"text": "${long}\\`)).toBe('1:10 a string has no closing quote');
    expect(problem(`{"text":\n"${long}\n"}`)).toBe(
      '2:200002 the control character U+000A stands in a string, where JSON has \\n for it',
    );
    expect(problem(`["${long}\\x"]`)).toBe('1:200003 a backslash before "x" is no escape of JSON');
    expect(problem(`["${long}\\u00g0"]`)).toBe('1:200003 \\u in a string is not followed by four hex digits');
    expect(problem(`["${long}\\u12`)).toBe('1:200003 \\u in a string is not followed by four hex digits');
    expect(problem('[a"]')).toBe('1:2 a value was expected');
    expect(problem('{a: 1}')).toBe('1:2 a string was expected');
  });

  test('with ten million escapes is read', () => {
    expect(parseJson(`"${'\\n'.repeat(1e7)}"`)).toBe('\n'.repeat(1e7));
  });

  test('is cut, changed or left as JSON.parse has it', () => {
    const whole = JSON.stringify({ '\u2028"\\/\b\f\n\r\t\u0000é€😀': ['\ud83d', '\\u0041', '\\\\', ''] });
    const pieces = ['\\', '"', 'u', '0', '\n', '\u001f', '\u007f', 'é', '\\u', '\\"', '\\ud83d', ' '];
    const native = (text: string): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        return 'refused';
      }
    };
    const ours = (text: string): unknown => {
      try {
        return parseJson(text);
      } catch {
        return 'refused';
      }
    };
    for (let at = 0; at <= whole.length; at++) {
      expect(ours(whole.slice(0, at))).toEqual(native(whole.slice(0, at)));
      for (const piece of pieces) {
        const changed = whole.slice(0, at) + piece + whole.slice(at);
        expect(ours(changed), changed).toEqual(native(changed));
      }
    }
  });
});

test('keys come back in the order of the file where they are asked for so', () => {
  const text = '{"b": 1, "10": {"9": 2, "1": 3}, "__proto__": 4}';
  const kept = parseJson(text, { keepKeyOrder: true }) as Map<string, unknown>;
  expect([...kept.keys()]).toEqual(['b', '10', '__proto__']);
  expect([...(kept.get('10') as Map<string, unknown>).keys()]).toEqual(['9', '1']);
  expect(Object.keys(parseJson(text) as object)).toEqual(['10', 'b', '__proto__']);
  expect(() => parseJson('{"1": 0, "1": 0}', { keepKeyOrder: true })).toThrow('the key "1" occurs twice');
});
