import { describe, expect, test } from 'vitest';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import { NumberText, parseJson, PythonFloat, readJson } from '../../../src/formats/json.ts';
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
    for (const text of ['\ufeff\ufeff{}', '{}\ufeff', '{\ufeff}', '\ufeff'])
      await expect(readJson(source('a.json', text)), JSON.stringify(text)).rejects.toThrow('not valid JSON');
    expect(() => parseJson('\ufeff{}')).toThrow('a value was expected');
  });

  test('before every JSON file of a model changes nothing', async () => {
    const files = fixtureFiles('cases/recipe_text/base');
    const marked = { ...files };
    for (const [name, bytes] of Object.entries(files))
      if (name.endsWith('.json')) marked[name] = joinBytes([MARK, bytes as Uint8Array]);
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
    12345678901234567000,
  ]);
  const kept = parseJson(text, { keepNumberText: true });
  expect(kept).toEqual(
    ['1', '1.0', '2.50', '-3e2', '12345678901234567890'].map((number) => new NumberText(number)),
  );
  expect(JSON.stringify(kept)).toBe('[1,1,2.5,-300,12345678901234567000]');
});
