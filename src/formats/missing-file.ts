import type { Folder } from './byte-source.ts';
import { quoteAll, shorten } from './quote.ts';
import { ggufError, isGgufName } from './recognize-files.ts';
import { UserError } from './user-error.ts';

/** Maximum folders named in a message. */
const MAX_NAMED = 5;

/** Files that identify a folder's kind; a tokenizer alone may accompany other things. */
const MARKS = ['config.json', 'adapter_config.json'];

/**
 * The message that a folder is one level above or below the one that holds `file`; undefined if no nearby folder
 * does.
 */
export async function offByALevel(folder: Folder, file: string): Promise<UserError | undefined> {
  const { below = [], above, hidesLinks } = (await folder.near?.(file)) ?? {};
  const name = shorten(folder.name);
  const [only] = below;
  if (below.length > 1) {
    const named = quoteAll(below.slice(0, MAX_NAMED)) + (below.length > MAX_NAMED ? ', …' : '');
    return new UserError(
      `${name}: one level too high: ${below.length} folders in it have ${article(file)} ${file} (${named}); choose one of those.`,
    );
  }
  if (only !== undefined) {
    return new UserError(
      `${name}: one level too high: ${file} is in its folder ${shorten(only)}; choose that folder.`,
    );
  }
  if (above !== undefined) {
    return new UserError(
      `${name}: one level too low: ${file} is in the folder above, ${shorten(above)}; choose that folder.`,
    );
  }
  if (hidesLinks && (await folder.list()).length === 0) {
    return new UserError(
      `${name}: empty, as far as a browser shows it, which hides links; if it is a snapshot in Hugging Face's cache, choose the folder above it whose name begins with "models--".`,
    );
  }
  return undefined;
}

/**
 * The message for a folder without `file`; `otherwise` follows "is missing" unless the folder is off by one level.
 */
export async function missingFile(folder: Folder, file: string, otherwise: string): Promise<UserError> {
  const marks = await Promise.all(MARKS.map((mark) => folder.open(mark)));
  const isModel = marks.some((mark) => mark !== undefined);
  const gguf = isModel ? undefined : (await folder.list()).find(isGgufName);
  if (gguf !== undefined) {
    return ggufError(`${folder.name}/${gguf}`);
  }
  const off = isModel ? undefined : await offByALevel(folder, file);
  return off ?? new UserError(`${shorten(folder.name)}: ${file} is missing${otherwise}.`);
}

const article = (name: string): string => (/^[aeiou]/.test(name) ? 'an' : 'a');
