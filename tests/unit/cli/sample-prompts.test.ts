import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Display } from '../../../src/cli/display.ts';
import { withSamplePrompts } from '../../../src/cli/sample-prompts.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';
import { RECIPE } from '../../../src/formats/recipe/settings.ts';

const { most, longest } = RECIPE.training.samplePrompts;

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'retune-prompts-'))));
afterAll(() => rmSync(folder, { recursive: true }));

/** The prompts of a file, and what is said of it. */
async function promptsOf(name: string, text: string) {
  const path = join(folder, name);
  writeFileSync(path, text);
  const said: string[] = [];
  const display = { line: (line: string) => said.push(line) } as unknown as Display;
  const before = { ...defaultRecipe().training, samplePrompts: ['of the recipe'] };
  const recipe = await withSamplePrompts({ ...defaultRecipe(), training: before }, path, display);
  expect({ ...recipe.training, samplePrompts: before.samplePrompts }).toEqual(before);
  return { prompts: recipe.training.samplePrompts, said };
}

it.each([
  ['a.txt', 'First, with spaces  \r\n\n  \nSecond\n', ['First, with spaces  ', 'Second']],
  ['b.jsonl', '{"question": "A?"}\n{"question": "B?", "answer": "b"}\n', ['A?', 'B?']],
])('takes the prompts of %s over those of the recipe', async (name, text, prompts) =>
  expect(await promptsOf(name, text)).toEqual({ prompts, said: [] }),
);

it('takes no more than a run answers, and says so', async () => {
  const lines = Array.from({ length: most + 3 }, (_, i) => `Question ${i}?`);
  expect(await promptsOf('many.txt', lines.join('\n'))).toEqual({
    prompts: lines.slice(0, most),
    said: [`Sample prompts: the first ${most} of ${most + 3} in ${join(folder, 'many.txt')}`],
  });
});

it.each([
  ['none.txt', ' \n', 'none.txt: there is no prompt in it; write one on each line.'],
  [
    'long.txt',
    `A?\n${'x'.repeat(longest + 1)}`,
    'long.txt: prompt 2 has 10,001 characters, expected at most 10,000; shorten it.',
  ],
  ['not.jsonl', '{"q": 1}', 'not.jsonl'],
])('refuses %s in a sentence', async (name, text, sentence) =>
  expect(promptsOf(name, text)).rejects.toThrow(sentence),
);

it('leaves a recipe alone where no file is named', async () => {
  const recipe = defaultRecipe();
  expect(await withSamplePrompts(recipe, undefined, {} as Display)).toBe(recipe);
});
