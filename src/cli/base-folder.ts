import type { Folder } from '../formats/byte-source.ts';
import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import type { BaseCache } from '../model/base/cache/base-cache.ts';
import { readCursor } from '../run/checkpoint/checkpoint.ts';
import type { RunStore } from '../run/checkpoint/store.ts';
import { firstBase, hubCacheFolder } from './hub-cache.ts';
import { nodeFolder } from './node-files.ts';

/**
 * The base that `--base` names or, if omitted, the cached base that the output's run was started with, or else the
 * first of these models, as the recipe and V1 name it, that is there; `found` is its path then. Throws UserError.
 */
export async function baseFolder(
  path: string | undefined,
  names: readonly (string | undefined)[],
  store: RunStore,
  cache: BaseCache | undefined,
  doubleQuant: boolean,
): Promise<{ base: Folder; found?: string }> {
  if (path !== undefined) {
    return { base: await nodeFolder(path) };
  }
  try {
    return { base: await baseOfRun(store, cache, doubleQuant) };
  } catch (error) {
    const found = error instanceof UserError ? await firstBase(names) : undefined;
    if (found !== undefined) {
      return { base: await nodeFolder(found), found };
    }
    const name = names.find((n) => !!n);
    if (!(error instanceof UserError) || name === undefined) {
      throw error;
    }
    throw new UserError({
      what: error.what,
      so: `and ${quote(name)} is neither a folder nor in Hugging Face's cache (${hubCacheFolder()})`,
      remedy: "name the base's folder",
    });
  }
}

async function baseOfRun(
  store: RunStore,
  cache: BaseCache | undefined,
  doubleQuant: boolean,
): Promise<Folder> {
  const step = (await store.checkpoints()).at(-1);
  if (step === undefined) {
    throw new UserError(
      `retune finetune: --base is missing, and ${store.name} holds no run to resume; name the base's folder.`,
    );
  }
  const { identity } = await readCursor(await store.openCheckpoint(step));
  const folder = await cache?.folder(identity.base, doubleQuant);
  if (!folder) {
    throw new UserError(
      `retune finetune: --base is missing, and the base of ${store.name} is not in the cache; name its folder.`,
    );
  }
  return folder;
}
