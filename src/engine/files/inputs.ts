import { UserError } from '../../formats/user-error.ts';
import type { BaseCache } from '../../model/base/cache/base-cache.ts';
import type { KeptInputs } from '../../storage/kept-inputs.ts';
import type { StoredRun } from '../../storage/run-records.ts';
import type { HandoverFiles } from '../protocol/handover.ts';
import type { ChosenFile, ChosenFolder, ChosenInputs, GivenInputs, InputPart } from '../protocol/protocol.ts';
import { type OpenedFolder, readChosenFolder, readFile } from './files.ts';
import type { KeptAdapters } from './kept-adapters.ts';
import type { KeptBases } from './kept-bases.ts';

const PARTS = ['base', 'source', 'train', 'validation'] as const satisfies InputPart[];
/** What of an adapter's folder makes the adapter, and what Retune recorded beside it. */
const ADAPTER_FILE = /^(?:adapter_|retune_state\.json$)/;

/**
 * The files of runs: as chosen since the page was opened, as copies that the browser keeps, or behind the handles that
 * it kept.
 */
export class RunFiles {
  readonly #chosen = new Map<string, ChosenInputs>();
  readonly kept: KeptAdapters;
  readonly bases: KeptBases;
  /** Quantized bases. */
  readonly cache: BaseCache;
  readonly #small: KeptInputs;

  constructor(kept: KeptAdapters, bases: KeptBases, cache: BaseCache, small: KeptInputs) {
    this.kept = kept;
    this.bases = bases;
    this.cache = cache;
    this.#small = small;
  }

  remember(id: string, inputs: ChosenInputs): void {
    this.#chosen.set(id, inputs);
  }

  /** Forgets what was chosen for it. */
  unchoose(id: string): void {
    this.#chosen.delete(id);
  }

  async forget(id: string): Promise<void> {
    this.unchoose(id);
    await this.#small.delete(id);
  }

  /** The run's files, as `given` or else as kept, with its own recipe. Throws UserError where some must be chosen again. */
  async of(record: StoredRun, given: GivenInputs = {}): Promise<ChosenInputs> {
    const { recipe, name, inputs } = record;
    const base = given.base ? await this.bases.resolved(given.base) : await this.baseOf(record);
    const source = given.source ?? (await this.sourceOf(record));
    const train = asStarted(given.train ?? (await this.#trainOf(record)), record, 'train');
    const validation = given.validation
      ? asStarted(given.validation, record, 'validation')
      : await this.validationOf(record);
    const found = { base, source, train, validation };
    const missing = PARTS.filter((part) => inputs[part] !== undefined && !found[part]);
    if (!base || !train || missing.length > 0) {
      throw new UserError(
        `${name}: this browser no longer has all of its files; choose ${missing.map((part) => inputs[part]).join(', ')} again.`,
      );
    }
    return this.kept.inputs({ base, source, train, validation, recipe });
  }

  /** Stores copies of a new run's small files. */
  keep(id: string, { source, train, validation }: ChosenInputs): Promise<void> {
    return this.#small.keep(id, {
      source:
        source?.run === undefined ? source?.files.filter(({ name }) => ADAPTER_FILE.test(name)) : undefined,
      train: train.file,
      validation: validation?.file,
    });
  }

  /** What the run needs that the browser does not hold and that was not chosen since the page was opened. */
  async lacks(record: StoredRun): Promise<InputPart[]> {
    const { id, inputs, sourceRun, sourceStep } = record;
    if (this.#chosen.has(id)) {
      return [];
    }
    const copied = await this.#small.has(id);
    const has = {
      base: (await this.bases.of(record)) !== undefined,
      source: sourceRun === undefined ? copied : await isThere(this.kept.open(sourceRun, sourceStep)),
      train: copied,
      validation: copied,
    };
    return PARTS.filter((part) => inputs[part] !== undefined && !has[part]);
  }

  /**
   * The run's base, from the cache where it is there; undefined where the browser keeps no way to it. Throws UserError
   * where it may not be read.
   */
  async baseOf(record: StoredRun): Promise<OpenedFolder | undefined> {
    const { id, handles } = record;
    const chosen = this.#chosen.get(id)?.base;
    if (chosen) {
      return this.bases.resolved(chosen);
    }
    const opened = await this.bases.of(record);
    if (opened) {
      return { name: opened.name, files: [], handle: handles.base, opened };
    }
    return handles.base && (await readChosenFolder(handles.base));
  }

  /**
   * The folder from which the run's base was chosen, for the page to show. Throws UserError where it may not be read.
   */
  async baseFolderOf({ id, handles }: StoredRun): Promise<ChosenFolder | undefined> {
    const chosen: OpenedFolder | undefined = this.#chosen.get(id)?.base;
    if (chosen && !chosen.opened && chosen.run === undefined) {
      return chosen;
    }
    return handles.base && (await readChosenFolder(handles.base));
  }

  /** The adapter that the run started from. */
  async sourceOf({
    id,
    inputs,
    handles,
    sourceRun,
    sourceStep,
  }: StoredRun): Promise<ChosenFolder | undefined> {
    if (sourceRun !== undefined) {
      return this.kept.open(sourceRun, sourceStep);
    }
    const chosen = this.#chosen.get(id)?.source;
    if (chosen) {
      return chosen;
    }
    const files = (await this.#small.get(id))?.source;
    if (files) {
      return { name: inputs.source ?? '', files, handle: handles.source };
    }
    return handles.source && (await readChosenFolder(handles.source));
  }

  /**
   * The run's files that can be handed to another worker. Its rows must be there; what only the browser's own storage
   * has of base and source stays there. Throws UserError.
   */
  async outside(record: StoredRun): Promise<HandoverFiles> {
    const { name, inputs, sourceRun } = record;
    const reachable = <T>(found: Promise<T | undefined>) => found.catch(() => undefined);
    const train = asStarted(await reachable(this.#trainOf(record)), record, 'train');
    const validation = await reachable(this.validationOf(record));
    if (!train || (inputs.validation !== undefined && !validation)) {
      throw new UserError(
        `${name}: this browser no longer has its rows (${train ? inputs.validation : inputs.train}); continue the run once with them, or use retune handover.`,
      );
    }
    return {
      base: await reachable(this.baseFolderOf(record)),
      source: sourceRun === undefined ? await reachable(this.sourceOf(record)) : undefined,
      train,
      validation,
    };
  }

  /** The run's rows and validation rows, as far as the browser still has them. */
  async rowsOf(record: StoredRun): Promise<{ train?: ChosenFile; validation?: ChosenFile }> {
    const reachable = <T>(found: Promise<T | undefined>) => found.catch(() => undefined);
    const train = asStarted(await reachable(this.#trainOf(record)), record, 'train');
    const validation = await reachable(this.validationOf(record));
    return { ...(train && { train }), ...(validation && { validation }) };
  }

  /**
   * What the run was started with, for another run to start with it: each part that the browser holds or may read. A base
   * in the cache and an adapter of a run are named by their run.
   */
  async startedWith(record: StoredRun): Promise<GivenInputs> {
    const { id, inputs, handles, sourceRun, sourceStep } = record;
    const reachable = <T>(found: Promise<T | undefined>) =>
      found.catch((error: unknown) => {
        if (error instanceof UserError) {
          return undefined;
        }
        throw error;
      });
    // Its own folder serves more, where it may be read: a recipe may want the base in another form than the cache has.
    const base =
      (await reachable(this.baseFolderOf(record))) ??
      ((await this.bases.of(record))
        ? { name: inputs.base, files: [], run: id, handle: handles.base }
        : undefined);
    const source = await reachable(this.sourceOf(record));
    const found = {
      base,
      source:
        source && sourceRun !== undefined
          ? { name: source.name, files: [], run: sourceRun, step: sourceStep }
          : source,
      ...(await this.rowsOf(record)),
    };
    return Object.fromEntries(Object.entries(found).filter(([, part]) => part !== undefined)) as GivenInputs;
  }

  async #trainOf({ id, handles }: StoredRun): Promise<ChosenFile | undefined> {
    const chosen = this.#chosen.get(id)?.train;
    if (chosen) {
      return chosen;
    }
    const file = (await this.#small.get(id))?.train;
    if (file) {
      return { file, handle: handles.train };
    }
    return handles.train && (await readFile(handles.train));
  }

  async validationOf(record: StoredRun): Promise<ChosenFile | undefined> {
    return asStarted(await this.#validationFile(record), record, 'validation');
  }

  async #validationFile({ id, handles }: StoredRun): Promise<ChosenFile | undefined> {
    const chosen = this.#chosen.get(id)?.validation;
    if (chosen) {
      return chosen;
    }
    const file = (await this.#small.get(id))?.validation;
    if (file) {
      return { file, handle: handles.validation };
    }
    return handles.validation && (await readFile(handles.validation));
  }
}

/** The file with the columns and the changes that its run was started with. */
function asStarted(
  file: ChosenFile | undefined,
  { columns, changes }: StoredRun,
  part: 'train' | 'validation',
): ChosenFile | undefined {
  return file && { ...file, columns: columns?.[part] ?? file.columns, changes: changes?.[part] };
}

async function isThere(opening: Promise<unknown>): Promise<boolean> {
  try {
    await opening;
    return true;
  } catch (error) {
    if (error instanceof UserError) {
      return false;
    }
    throw error;
  }
}
