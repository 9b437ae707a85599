import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { UserError } from '../formats/user-error.ts';
import { defaultCacheFolder } from './cache-folder.ts';
import { NONE } from './options.ts';
import { linkTarget } from './stats.ts';

/** An input file or folder, which is never written to; `what` in words such as "the questions". */
export interface Input {
  what: string;
  path: string;
}

/** Throws UserError if writing to `output` could change one of `inputs`. */
export async function checkApart(
  output: string,
  inputs: readonly Input[],
  option = '--output',
  name = 'the output',
): Promise<void> {
  for (const input of inputs) {
    const problem = await overlap(output, input);
    if (problem !== undefined) {
      throw new UserError(
        `${output}: ${name} ${problem}, which is never written to; choose another ${option}.`,
      );
    }
  }
}

/** Throws UserError if the base cache, or what is stored beside it, could change an input or lies in the output. */
export async function checkCacheApart(
  cache: string,
  inputs: readonly Input[],
  output?: string,
): Promise<void> {
  if (cache !== NONE) {
    await checkApart(cache, inputs, '--base-cache', 'the cache');
    const problem =
      output === undefined ? undefined : await overlap(cache, { what: 'the output', path: output });
    if (problem !== undefined) {
      throw new UserError(`${cache}: the cache ${problem}; choose another --base-cache.`);
    }
  }
  // Tuning results are stored there, wherever the bases are.
  const kept = defaultCacheFolder();
  if (kept === undefined) {
    return;
  }
  const real = await realPath(kept);
  for (const { what, path } of inputs) {
    if (isInside(`${real}${sep}`, await realPath(path))) {
      throw new UserError(
        `${kept}: this folder for what is kept between runs lies inside ${what}, ${path}, which is never written to; set XDG_CACHE_HOME to another.`,
      );
    }
  }
}

/** What a run writes into its output: files of these names, and folders. */
const WRITTEN =
  /^(?:logs|checkpoint-\d+|adapter_model\.safetensors|adapter_config\.json|README\.md|trainer_state\.json|training_config\.yaml|retune_state\.json)$/;

/** Throws UserError if something in an output that a run would write is a link to an input. */
export async function checkLinks(output: string, inputs: readonly Input[]): Promise<void> {
  const entries = await readdir(output, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isSymbolicLink() || !WRITTEN.test(entry.name)) {
      continue;
    }
    const link = join(output, entry.name);
    for (const input of inputs) {
      const problem = await overlap(link, input);
      if (problem !== undefined) {
        throw new UserError(
          `${link}: this link ${problem}, which is never written to; remove the link, or choose another --output.`,
        );
      }
    }
  }
}

/** Throws UserError if the recipe is a file that the run itself would overwrite or delete. */
export async function checkRecipe(path: string, output: string): Promise<void> {
  const [real, folder] = [await realPath(path), await realPath(output)];
  const [first] = relative(folder, real).split(sep);
  if (isInside(real, folder) && WRITTEN.test(first!)) {
    throw new UserError(
      `${path}: the run writes its own files there, and may delete this one; copy it to another place and name that in --config.`,
    );
  }
}

/** How a path and an input overlap; undefined if they do not. */
async function overlap(output: string, { what, path }: Input): Promise<string | undefined> {
  const [real, other] = [await realPath(output), await realPath(path)];
  if (real === other) {
    return `is also ${what}`;
  }
  if (isInside(real, other)) {
    return `lies inside ${what}, ${path}`;
  }
  return isInside(other, real) ? `holds ${what}, ${path}` : undefined;
}

/** More links than that are circular. */
const MAX_LINKS = 40;

/** The path with links resolved, even if its end, or a link's target, does not exist yet. */
export async function realPath(path: string, links = MAX_LINKS): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch {
    if (dirname(absolute) === absolute) {
      return absolute;
    }
  }
  const target = await linkTarget(absolute);
  if (target !== undefined && links > 0) {
    return realPath(resolve(dirname(absolute), target), links - 1);
  }
  return join(await realPath(dirname(absolute), links), basename(absolute));
}

const isInside = (path: string, folder: string): boolean =>
  path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
