import { parseQuestions } from '../../comparison/questions.ts';
import { rowQuestions, someOf } from '../../corrections/row-questions.ts';
import { RECIPE } from '../../formats/recipe/settings.ts';
import { UserError } from '../../formats/user-error.ts';
import type { ChosenFile } from '../protocol/protocol.ts';
import { type Following, watchedSource } from '../watch.ts';
import { sourceOf } from './files.ts';

const { longest } = RECIPE.training.samplePrompts;

/** Some questions of a file of rows or of questions, to be sample prompts. Throws UserError where there are none. */
export async function promptsIn(
  file: ChosenFile,
  of: 'rows' | 'questions',
  most: number,
  { signal }: Following = {},
): Promise<string[]> {
  const source = watchedSource(sourceOf(file), { signal });
  const prompts =
    of === 'rows'
      ? await rowQuestions(source, most)
      : someOf(
          (await parseQuestions(source)).map(({ question }) => question),
          most,
        );
  const short = prompts.filter(({ length }) => length <= longest);
  if (short.length === 0) {
    throw new UserError(
      `${file.file.name}: where the question of its rows ends was not recognized, so none can be taken; type prompts instead.`,
    );
  }
  return short;
}
