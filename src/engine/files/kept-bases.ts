import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import type { BaseCache } from '../../model/base/cache/base-cache.ts';
import { CacheRefusal } from '../../model/base/cache/storage.ts';
import type { RunRecords, StoredRun } from '../../storage/run-records.ts';
import type { ChosenFolder, ChosenInputs } from '../protocol/protocol.ts';
import { type OpenedFolder, readChosenFolder } from './files.ts';

/** Bases that the browser keeps quantized, by a run that was trained on them. */
export class KeptBases {
  readonly #records: Pick<RunRecords, 'get'>;
  readonly #cache: Pick<BaseCache, 'folder'>;

  constructor(records: Pick<RunRecords, 'get'>, cache: Pick<BaseCache, 'folder'>) {
    this.#records = records;
    this.#cache = cache;
  }

  /** A run's base as the cache has it, quantized as its recipe says or as `doubleQuant` does; undefined where it has none. */
  of(
    { identity, recipe }: Pick<StoredRun, 'identity' | 'recipe'>,
    doubleQuant = recipe.quantization.useDoubleQuant,
  ): Promise<Folder | undefined> {
    return this.cached(identity.base, doubleQuant);
  }

  /** The base whose files have this SHA-256, as the cache has it; undefined where it has none. */
  cached(content: string, doubleQuant: boolean): Promise<Folder | undefined> {
    return this.#cache.folder(content, doubleQuant).catch((error: unknown) => {
      if (error instanceof CacheRefusal || error instanceof UserError) {
        return undefined;
      }
      throw error;
    });
  }

  /**
   * The same folder; where it stands for the base of a run, with that base's files. They never leave the worker. Throws
   * UserError where it must be chosen again.
   */
  async resolved(chosen: ChosenFolder, doubleQuant?: boolean): Promise<OpenedFolder> {
    if (chosen.run === undefined) {
      return chosen;
    }
    const record = await this.#records.get(chosen.run);
    const opened = record && (await this.of(record, doubleQuant));
    if (opened) {
      return { ...chosen, opened };
    }
    const { name, handle } = chosen;
    if (!handle) {
      throw new UserError(
        `${name}: the browser does not keep this base in the form that is wanted now; choose its folder.`,
      );
    }
    return readChosenFolder(handle);
  }

  /** The same inputs, with the base's files where the browser keeps them. Throws UserError. */
  async inputs(chosen: ChosenInputs): Promise<ChosenInputs> {
    const { useDoubleQuant } = chosen.recipe.quantization;
    return { ...chosen, base: await this.resolved(chosen.base, useDoubleQuant) };
  }
}
