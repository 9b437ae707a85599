import { dirname } from 'node:path';
import { UserError } from '../formats/user-error.ts';
import { checkApart, type Input, realPath } from './apart.ts';
import { checkWritable } from './durable-files.ts';
import { kindOf, statsOf } from './stats.ts';

/** What an output file holds, the option that names it, and what it must not touch. */
interface Output {
  what: string;
  option?: string;
  /** Files that it must not replace. */
  files?: readonly Input[];
  /** Folders that nothing is written into. */
  folders?: readonly Input[];
}

/** Throws UserError if the path names something that a file cannot, or must not, replace. */
export async function checkOutputFile(
  path: string,
  { what, option = '--output', files = [], folders = [] }: Output,
): Promise<void> {
  const info = await statsOf(path);
  if (info && !info.isFile()) {
    throw new UserError(
      `${path}: expected a file for ${what}, found ${kindOf(info)}; choose another ${option}.`,
    );
  }
  const real = await realPath(path);
  for (const file of files) {
    if (real === (await realPath(file.path))) {
      throw new UserError(`${path}: ${what} would take the place of ${file.what}; choose another ${option}.`);
    }
  }
  await checkApart(path, folders, option);
  await checkWritable(dirname(path), option);
}
