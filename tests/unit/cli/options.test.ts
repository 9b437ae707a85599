import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBaseCache } from '../../../src/cli/base-cache.ts';
import type { Display } from '../../../src/cli/display.ts';
import { holdOutOption, memoryOption, NONE, numberOption, readRecipeFile } from '../../../src/cli/options.ts';
import { defaultRecipe, recipeWithoutFile } from '../../../src/formats/recipe.ts';

describe('a number on the command line', () => {
  const parse = numberOption({ whole: true, min: 1, max: 64 });

  it('is read', () => expect([parse('1'), parse('64'), numberOption({})('5e-5')]).toEqual([1, 64, 5e-5]));

  it.each(['', ' ', '0', '65', '1.5', 'x', '1x', 'Infinity'])('is refused when it is "%s"', (text) =>
    expect(() => parse(text)).toThrow('Expected a whole number at least 1 and at most 64'),
  );
});

describe('an amount of memory', () => {
  it.each([
    ['4GB', 4e9],
    ['3500MiB', 3500 * 2 ** 20],
    ['3.5 GiB', 3.5 * 2 ** 30],
    [' 800mb ', 8e8],
  ])('"%s" is read', (text, bytes) => expect(memoryOption(text)).toBe(bytes));

  it.each(['', '4', 'GB', '-4GB', '4TB', '0MB', '4 G B', '1e3MB', '4,5GB', '99999999999GB'])(
    '"%s" is refused',
    (text) =>
      expect(() => memoryOption(text)).toThrow(
        'Expected an amount of memory in MB, GB, MiB or GiB, such as 4GB or 3500MiB',
      ),
  );
});

describe('the recipe', () => {
  it('is read from its file, with a note for every key without an effect; or the default one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'retune-recipe-'));
    const path = join(folder, 'config.yaml');
    writeFileSync(path, 'training: {learning_rate: 3e-4, zest: 1}\n');
    const lines: string[] = [];
    const display = { line: (text: string) => lines.push(text) } as unknown as Display;
    const recipe = await readRecipeFile(path, display);
    expect(recipe.training).toEqual({ ...defaultRecipe().training, learningRate: 3e-4 });
    expect(lines).toEqual([`Note: ${path}: not known, and without effect: training.zest.`]);
    expect(await readRecipeFile(undefined, display)).toEqual(recipeWithoutFile());
    rmSync(folder, { recursive: true });
  });
});

it('a recipe with nothing in it is no recipe', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'retune-options-'));
  const file = join(folder, 'training_config.yaml');
  for (const text of ['', ' \n\n']) {
    writeFileSync(file, text);
    await expect(readRecipeFile(file, {} as Display)).rejects.toThrow(
      `${file}: there is nothing in it, expected keys and values; leave --config out for the default values.`,
    );
  }
  rmSync(folder, { recursive: true });
});

it('no cache of bases is spelled as no adapter is', () => {
  expect(openBaseCache(NONE)).toBeUndefined();
  expect(openBaseCache('some/folder')).toBeDefined();
});

it.each([
  ['5%', 0.05],
  ['12.5 %', 0.125],
  ['0.1', 0.1],
  ['.1', 0.1],
  ['1', 1],
  ['200', 200],
])('--hold-out %s is val_size %s', (text, size) => expect(holdOutOption(text)).toBe(size));

it.each(['0', '0%', '100%', '-5%', '1.5', '150%', 'five', '', '5%%', '1e2'])(
  '--hold-out "%s" is refused',
  (text) =>
    expect(() => holdOutOption(text)).toThrow('Expected a share such as 5% or 0.05, or a number of rows'),
);
