import type { ByteSource, Folder } from '../../formats/byte-source.ts';
import { defaultRecipe, type Recipe } from '../../formats/recipe.ts';
import { UserError } from '../../formats/user-error.ts';
import type { BaseCache } from '../../model/base/cache/base-cache.ts';
import type { StoredTest, StoredVersion } from '../../storage/test-records.ts';
import { folderOf, readChosenFolder, readFile, sourceOf } from '../files/files.ts';
import type { RunFiles } from '../files/inputs.ts';
import type { KeptAdapters } from '../files/kept-adapters.ts';
import type { NamedVersion, OfRun, TestFiles, TestInputs } from '../protocol/comparison.ts';
import type { ChosenFile, ChosenFolder } from '../protocol/protocol.ts';
import type { Runs } from '../runs/runs.ts';

/** Where the files of tests come from: runs, what was chosen since the page was opened, or handles. */
export class TestSources {
  readonly #runs: Runs;
  readonly #files: RunFiles;
  readonly #kept: KeptAdapters;
  readonly #chosen = new Map<string, TestFiles>();

  constructor(runs: Runs, files: RunFiles, kept: KeptAdapters) {
    this.#runs = runs;
    this.#files = files;
    this.#kept = kept;
  }

  /** Quantized bases. */
  get cache(): BaseCache {
    return this.#files.cache;
  }

  /** Files chosen for a test, remembered until the page is closed. */
  remember(id: string, files: TestFiles): void {
    const { folders, ...rest } = files;
    const before = this.#chosen.get(id);
    this.#chosen.set(id, { ...before, ...given(rest), folders: { ...before?.folders, ...folders } });
  }

  /** What was chosen for a test, and for one of its versions as the first of another test. */
  chosen(id: string, version: number): TestFiles {
    const { folders, ...rest } = this.#chosen.get(id) ?? {};
    return { ...rest, ...(folders?.[version] && { folders: { 0: folders[version] } }) };
  }

  forget(id: string): void {
    this.#chosen.delete(id);
  }

  /** A test's base as the browser keeps it, quantized as the test wants it; undefined where it keeps none. */
  async keptBase({ baseHash, baseRun, recipe }: StoredTest): Promise<Folder | undefined> {
    const content = baseHash ?? (baseRun && (await this.#runs.records.get(baseRun))?.identity.base);
    return content ? this.#files.bases.cached(content, recipe.quantization.useDoubleQuant) : undefined;
  }

  /** Throws UserError where it must be chosen again. */
  async base(test: StoredTest): Promise<Folder> {
    const chosen = this.#chosen.get(test.id)?.base;
    const kept = chosen ? undefined : await this.keptBase(test);
    if (kept) {
      return kept;
    }
    const found =
      chosen ??
      (test.baseHandle && (await readChosenFolder(test.baseHandle))) ??
      (test.baseRun && (await this.#files.baseOf(await this.#runs.record(test.baseRun))));
    return folderOf(await this.#files.bases.resolved(required(found, test.base, 'the base')));
  }

  /** undefined where none is wanted. Throws UserError where it must be chosen again. */
  async validation(test: StoredTest): Promise<ByteSource | undefined> {
    if (test.validationFile === undefined) {
      return undefined;
    }
    const found =
      this.#chosen.get(test.id)?.validation ??
      (test.validationHandle && (await readFile(test.validationHandle))) ??
      (test.validationRun && (await this.#files.validationOf(await this.#runs.record(test.validationRun))));
    return sourceOf(required(found, test.validationFile, 'the validation file'));
  }

  /** A version's adapter; undefined for the base alone. Throws UserError where it is gone. */
  async adapter(test: StoredTest, index: number): Promise<Folder | undefined> {
    const { kind, run = '', step, folder = '', handle, name } = test.versions[index]!;
    switch (kind) {
      case 'base':
        return undefined;
      case 'result':
        return folderOf(await this.#kept.open(run));
      case 'checkpoint':
        return folderOf(await this.#kept.open(run, step));
      case 'source': {
        const record = await this.#runs.record(run);
        if (record.inputs.source === undefined) {
          throw new UserError(`${name}: this run started a fresh adapter, so it has no V1; test the base.`);
        }
        const chosen = this.#chosen.get(test.id)?.folders?.[index];
        return folderOf(
          required(chosen ?? (await this.#files.sourceOf(record)), record.inputs.source, 'the adapter'),
        );
      }
      case 'folder': {
        const chosen = this.#chosen.get(test.id)?.folders?.[index];
        const found = chosen ?? (handle && (await readChosenFolder(handle)));
        return folderOf(await this.#kept.resolved(required(found, folder, 'the adapter')));
      }
    }
  }

  /** The settings of a test unless it is given others. */
  async recipe({ base, recipe }: TestInputs): Promise<Recipe> {
    if (recipe) {
      return recipe;
    }
    return isOfRun(base) ? (await this.#runs.record(base.run)).recipe : defaultRecipe();
  }

  /** What a test's record keeps of its files. Throws UserError where a run is gone. */
  async describe({ base, validation }: TestInputs) {
    const baseRecord = isOfRun(base) ? await this.#runs.record(base.run) : undefined;
    const rowsRecord = isOfRun(validation) ? await this.#runs.record(validation.run) : undefined;
    return {
      base: baseRecord?.inputs.base ?? (base as ChosenFolder).name,
      baseRun: baseRecord?.id,
      baseHandle: isOfRun(base) ? undefined : base.handle,
      validationFile: rowsRecord
        ? rowsRecord.inputs.validation
        : (validation as ChosenFile | undefined)?.file.name,
      validationRun: rowsRecord?.id,
      validationHandle: isOfRun(validation) ? undefined : validation?.handle,
    };
  }
}

/** The files among a test's inputs that are not a run's. */
export function chosenFiles({ base, validation, versions }: TestInputs): TestFiles {
  const folders = versions.flatMap(({ version }, i) =>
    version.kind === 'folder' ? [[i, version.folder] as const] : [],
  );
  return {
    base: isOfRun(base) ? undefined : base,
    validation: isOfRun(validation) ? undefined : validation,
    folders: Object.fromEntries(folders),
  };
}

export function storedVersion({ name, version }: NamedVersion): StoredVersion {
  const common = { name, kind: version.kind, state: 'waiting' } as const;
  switch (version.kind) {
    case 'base':
      return common;
    case 'source':
    case 'result':
      return { ...common, run: version.run };
    case 'checkpoint':
      return { ...common, run: version.run, step: version.step };
    case 'folder':
      return { ...common, folder: version.folder.name, handle: version.folder.handle };
  }
}

/** A folder that the browser keeps has a `run` too. */
function isOfRun(of: ChosenFolder | ChosenFile | OfRun | undefined): of is OfRun {
  return of !== undefined && 'run' in of && !('files' in of);
}

function required<T>(found: T | undefined | '', name: string, what: string): T {
  if (found === undefined || found === '') {
    throw new UserError(`${name}: this browser no longer has ${what} of this test; choose it again.`);
  }
  return found;
}

/** Without the keys that say undefined. */
function given<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as Partial<T>;
}
