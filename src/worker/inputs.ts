import { UserError } from '../formats/user-error.ts';
import type { StoredRun } from '../storage/run-records.ts';
import { readFile, readFolder } from './files.ts';
import type { ChosenInputs } from './protocol.ts';

/** The files of runs: as chosen since the page was opened, or behind the handles that the browser kept. */
export class RunFiles {
  readonly #chosen = new Map<string, ChosenInputs>();

  remember(id: string, inputs: ChosenInputs): void {
    this.#chosen.set(id, inputs);
  }

  forget(id: string): void {
    this.#chosen.delete(id);
  }

  /** The run's files with its own recipe. Throws UserError where they must be chosen again. */
  async of({ id, recipe, name, inputs, handles }: StoredRun, given?: ChosenInputs): Promise<ChosenInputs> {
    const chosen = given ?? this.#chosen.get(id);
    if (chosen) return { ...chosen, recipe };
    const { base, source, train, validation } = handles;
    const complete = base && train && !inputs.source === !source && !inputs.validation === !validation;
    if (!complete)
      throw new UserError(
        `${name}: this browser keeps no way back to its files; choose ${Object.values(inputs).filter(Boolean).join(', ')} again.`,
      );
    return {
      base: await readFolder(base),
      source: source && (await readFolder(source)),
      train: await readFile(train),
      validation: validation && (await readFile(validation)),
      recipe,
    };
  }
}
