import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { shorten } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { statsOf } from './stats.ts';

/** "Qwen/Qwen2.5-1.5B-Instruct": an owner and a name as the Hub allows them. */
const REPOSITORY = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;

/**
 * Where Hugging Face's libraries keep what they downloaded.
 *
 * Reference: huggingface_hub, "Environment variables": HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME.
 */
export function hubCacheFolder(env = process.env, home = homedir): string {
  if (env.HF_HUB_CACHE) {
    return env.HF_HUB_CACHE;
  }
  if (env.HF_HOME) {
    return join(env.HF_HOME, 'hub');
  }
  return join(env.XDG_CACHE_HOME || join(home(), '.cache'), 'huggingface/hub');
}

/**
 * The folder of a model in that cache: the snapshot that `main` names, or else one that is there. undefined if none
 * has a config.json. Nothing is downloaded.
 *
 * Reference: huggingface_hub, "Manage huggingface_hub cache-system".
 */
export async function findInHubCache(name: string, cache = hubCacheFolder()): Promise<string | undefined> {
  if (!REPOSITORY.test(name)) {
    return undefined;
  }
  const model = join(cache, `models--${name.replace('/', '--')}`);
  const main = (await readFile(join(model, 'refs/main'), 'utf8').catch(() => '')).trim();
  const snapshots = await readdir(join(model, 'snapshots')).catch(() => []);
  for (const revision of [...snapshots.filter((r) => r === main), ...snapshots.sort()]) {
    const folder = join(model, 'snapshots', revision);
    if (await statsOf(join(folder, 'config.json'))) {
      return folder;
    }
  }
  return undefined;
}

/** The folder that `--base` names: a path, or a model in Hugging Face's cache. Throws UserError. */
export async function baseNamed(given: string): Promise<string> {
  if (!REPOSITORY.test(given) || (await statsOf(given))) {
    return given;
  }
  const folder = await findInHubCache(given);
  if (folder === undefined) {
    throw new UserError(
      `${shorten(given)}: no such folder, and no such model in Hugging Face's cache (${hubCacheFolder()}); check the path, or download the model with "hf download ${shorten(given)}".`,
    );
  }
  return folder;
}

/** The first of these models that is a folder or in Hugging Face's cache. */
export async function firstBase(names: readonly (string | undefined)[]): Promise<string | undefined> {
  for (const name of names.filter((n): n is string => !!n)) {
    if ((await statsOf(name))?.isDirectory()) {
      return name;
    }
    const folder = await findInHubCache(name);
    if (folder !== undefined) {
      return folder;
    }
  }
  return undefined;
}
