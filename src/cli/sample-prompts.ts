import { Option } from 'commander';
import { parseQuestions } from '../comparison/questions.ts';
import type { ByteSource } from '../formats/byte-source.ts';
import { MAX_BYTES, readText } from '../formats/read-text.ts';
import type { Recipe } from '../formats/recipe.ts';
import { RECIPE } from '../formats/recipe/settings.ts';
import { UserError } from '../formats/user-error.ts';
import { showCount } from '../formats/words.ts';
import type { Display } from './display.ts';
import { nodeSource } from './node-files.ts';

const { most, longest } = RECIPE.training.samplePrompts;

export const samplePromptsOption = (): Option =>
  new Option(
    '--sample-prompts <file>',
    `prompts answered before the first step, at each evaluation and at the end, to see how answers change: a file of questions, or a .txt with one on each line; the first ${most} count. The same as sample_prompts in a recipe, and over it`,
  );

/** The recipe with the prompts of a file, of which more than a run takes are left out and said. Throws UserError. */
export async function withSamplePrompts(
  recipe: Recipe,
  path: string | undefined,
  display: Display,
): Promise<Recipe> {
  if (path === undefined) {
    return recipe;
  }
  const source = await nodeSource(path);
  const all = await promptsIn(source);
  const samplePrompts = all.slice(0, most);
  const long = samplePrompts.findIndex(({ length }) => length > longest);
  if (long >= 0) {
    throw new UserError(
      `${source.name}: prompt ${long + 1} has ${showCount(samplePrompts[long]!.length)} characters, expected at most ${showCount(longest)}; shorten it.`,
    );
  }
  if (all.length > most) {
    display.line(`Sample prompts: the first ${most} of ${showCount(all.length)} in ${source.name}`);
  }
  return { ...recipe, training: { ...recipe.training, samplePrompts } };
}

async function promptsIn(source: ByteSource): Promise<string[]> {
  if (!/\.txt$/i.test(source.name)) {
    return (await parseQuestions(source)).map(({ question }) => question);
  }
  const text = await readText(source, MAX_BYTES.recipe, 'a file of prompts');
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length === 0) {
    throw new UserError(`${source.name}: there is no prompt in it; write one on each line.`);
  }
  return lines;
}
