import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../formats/user-error.ts';
import { checkWritable } from './durable-files.ts';

/** Throws UserError where the path names something that a file cannot be put in the place of. */
export async function checkOutputFile(path: string, what: string, option = '--output'): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info && !info.isFile())
    throw new UserError(
      `${path}: expected a file for ${what}, found ${info.isDirectory() ? 'a folder' : 'something else'}; choose another ${option}.`,
    );
  await checkWritable(dirname(path), option);
}
