import type { SourceOptions } from '../../export/source.ts';
import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import { folderOf } from '../files/files.ts';
import type { KeptAdapters } from '../files/kept-adapters.ts';
import type { KeptBases } from '../files/kept-bases.ts';
import type { AdapterToUse } from '../protocol/export.ts';
import type { KeptRuns } from '../runs/kept-runs.ts';
import { watchedFolder } from '../watch.ts';

/** The base of an export, and its hash where that is known. */
interface FoundBase {
  folder: Folder;
  hash: string | undefined;
}

/** What exports are made of: adapters of this browser, and their bases. */
export class ExportSources {
  readonly #runs: KeptRuns;
  readonly #kept: KeptAdapters;
  readonly #bases: Pick<KeptBases, 'of'>;

  constructor(runs: KeptRuns, kept: KeptAdapters, bases: Pick<KeptBases, 'of'>) {
    this.#runs = runs;
    this.#kept = kept;
    this.#bases = bases;
  }

  /** Throws UserError where one of them cannot be read any more. */
  async of(
    { run, step, name, base }: AdapterToUse,
    signal?: AbortSignal,
  ): Promise<Omit<SourceOptions, 'onto'>> {
    const adapter = { ...(await this.#kept.open(run, step)), name };
    const found = base ? { folder: folderOf(base), hash: undefined } : await this.#cached(run);
    return {
      base: watchedFolder(found.folder, { signal }),
      baseHash: found.hash,
      adapter: watchedFolder(folderOf(adapter), { signal }),
      otherBase: false,
      baseRemedy: 'choose the folder of the base that it was trained on',
    };
  }

  async #cached(run: string): Promise<FoundBase> {
    const record = await this.#runs.record(run);
    const folder = await this.#bases.of(record);
    if (!folder) {
      throw new UserError(
        `${record.inputs.base}: this browser keeps no way to the base's folder; choose it again.`,
      );
    }
    return { folder, hash: record.identity.base };
  }
}
