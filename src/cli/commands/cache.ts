import { type Command, Option } from 'commander';
import { shorten } from '../../formats/quote.ts';
import { UserError } from '../../formats/user-error.ts';
import { counted, showBytes } from '../../formats/words.ts';
import { BaseCache } from '../../model/base/cache/base-cache.ts';
import type { CachedBase } from '../../model/base/cache/manifest.ts';
import { CacheRefusal } from '../../model/base/cache/storage.ts';
import { FolderCacheStorage } from '../base-cache.ts';
import { defaultCacheFolder } from '../cache-folder.ts';
import { openDisplay } from '../display.ts';
import { table } from '../table.ts';

interface Options {
  /** Undefined if no folder is named and there is no home folder. */
  baseCache?: string;
}

interface ListOptions extends Options {
  json?: true;
}

/** `retune cache`: lists and deletes the cached quantized bases. */
export function cacheCommand(program: Command): void {
  const folder = () =>
    new Option('--base-cache <folder>', 'where the cache lies').default(defaultCacheFolder());
  const cache = program
    .command('cache')
    .summary('show or delete the quantized bases kept for the next start')
    .description(
      'Once loaded, a base is cached in 4 bits, so that the next start is quick and does not need the base folder.',
    )
    .helpCommand(false);
  cache
    .command('list', { isDefault: true })
    .description('Lists the cached bases, most recently used first.')
    .addOption(folder())
    .option('--json', 'print JSON')
    .action((options: ListOptions) => sayingWhy(runList(options)));
  cache
    .command('delete')
    .description('Deletes bases from the cache; the base folders themselves are not changed.')
    .argument('<id...>', 'ids that "retune cache list" shows, or "all"')
    .addOption(folder())
    .action((ids: string[], options: Options) => sayingWhy(runDelete(ids, options)));
}

function cacheAt({ baseCache }: Options): BaseCache {
  if (baseCache === undefined) {
    throw new UserError(
      'retune cache: there is no home folder, so the cache has no default place; name one in --base-cache or XDG_CACHE_HOME.',
    );
  }
  return new BaseCache(new FolderCacheStorage(baseCache));
}

/** A CacheRefusal, which a run ignores, is an error of this command. */
async function sayingWhy(work: Promise<void>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof CacheRefusal)) {
      throw error;
    }
    throw new UserError(
      `retune cache: nothing can be done there, since ${error.message}; check its permissions or name another --base-cache.`,
    );
  });
}

async function runList(options: ListOptions): Promise<void> {
  const display = openDisplay();
  const bases = await cacheAt(options).list();
  if (options.json) {
    return display.json(bases);
  }
  if (bases.length === 0) {
    return display.line(`${options.baseCache}: no base is kept there.`);
  }
  const rows = bases.map(({ id, bytes, lastUsed, name }) => [
    id,
    showBytes(bytes),
    day(lastUsed),
    shorten(name),
  ]);
  for (const line of table([['id', 'size', 'last used', 'loaded from'], ...rows])) {
    display.line(line);
  }
  display.line(`${showBytes(sizeOf(bases))} in ${options.baseCache}`);
}

async function runDelete(ids: readonly string[], options: Options): Promise<void> {
  const cache = cacheAt(options);
  const bases = await cache.list();
  const known = new Set(bases.map(({ id }) => id));
  const unknown = ids.find((id) => id !== 'all' && !known.has(id));
  if (unknown !== undefined) {
    throw new UserError(
      `retune cache: there is no base "${unknown}" in ${options.baseCache}, expected ${[...known, 'all'].join(' or ')}; see retune cache list.`,
    );
  }
  const doomed = bases.filter(({ id }) => ids.includes(id) || ids.includes('all'));
  for (const { id } of doomed) {
    await cache.delete(id);
  }
  openDisplay().line(`Deleted ${counted(doomed.length, 'base')}, ${showBytes(sizeOf(doomed))}.`);
}

const sizeOf = (bases: readonly CachedBase[]): number => bases.reduce((sum, { bytes }) => sum + bytes, 0);

const day = (time: number): string => new Date(time).toISOString().slice(0, 10);
