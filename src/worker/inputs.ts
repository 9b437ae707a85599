import { UserError } from '../formats/user-error.ts';
import type { StoredRun } from '../storage/run-records.ts';
import { readFile, readFolder } from './files.ts';
import type { KeptAdapters } from './kept-adapters.ts';
import type { ChosenFile, ChosenFolder, ChosenInputs } from './protocol.ts';

/** The files of runs: as chosen since the page was opened, or behind the handles that the browser kept. */
export class RunFiles {
  readonly #chosen = new Map<string, ChosenInputs>();
  readonly kept: KeptAdapters;

  constructor(kept: KeptAdapters) {
    this.kept = kept;
  }

  remember(id: string, inputs: ChosenInputs): void {
    this.#chosen.set(id, inputs);
  }

  forget(id: string): void {
    this.#chosen.delete(id);
  }

  /** The run's files with its own recipe. Throws UserError where they must be chosen again. */
  async of(record: StoredRun, given?: ChosenInputs): Promise<ChosenInputs> {
    const { id, recipe, name, inputs, handles, sourceRun } = record;
    const chosen = given ?? this.#chosen.get(id);
    if (chosen) return this.kept.inputs({ ...chosen, recipe });
    const { base, source, train, validation } = handles;
    const complete =
      base && train && (sourceRun || !inputs.source === !source) && !inputs.validation === !validation;
    if (!complete)
      throw new UserError(
        `${name}: this browser keeps no way back to its files; choose ${Object.values(inputs).filter(Boolean).join(', ')} again.`,
      );
    return {
      base: await readFolder(base),
      source: await this.sourceOf(record),
      train: await readFile(train),
      validation: validation && (await readFile(validation)),
      recipe,
    };
  }

  /** The run's base; undefined where the browser keeps no way to it. Throws UserError where it may not be read. */
  async baseOf({ id, handles }: StoredRun): Promise<ChosenFolder | undefined> {
    return this.#chosen.get(id)?.base ?? (handles.base && (await readFolder(handles.base)));
  }

  /** The adapter that the run started from. */
  async sourceOf({ id, handles, sourceRun, sourceStep }: StoredRun): Promise<ChosenFolder | undefined> {
    if (sourceRun !== undefined) return this.kept.open(sourceRun, sourceStep);
    return this.#chosen.get(id)?.source ?? (handles.source && (await readFolder(handles.source)));
  }

  async validationOf({ id, handles }: StoredRun): Promise<ChosenFile | undefined> {
    return this.#chosen.get(id)?.validation ?? (handles.validation && (await readFile(handles.validation)));
  }
}
