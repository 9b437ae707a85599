import type { Correction } from '../../corrections/correction.ts';
import type { Recipe } from '../../formats/recipe.ts';
import type { ChosenFile, ChosenFolder } from '../../platform/chosen-files.ts';
import type { Answer } from '../answer.ts';

export type { AskedQuestion, Correction } from '../../corrections/correction.ts';

/** A correction in the tray of a run, and the later run that was trained on it, if there is one. */
export interface TrayCorrection extends Correction {
  trainedIn?: { run: string; name: string } | undefined;
}

/** Rows, and the corrections among them. */
export interface CorrectedFile extends ChosenFile {
  corrected?: readonly Correction[] | undefined;
}

/** A run's files as far as the browser has a way to them: its own first, then those of the runs before it. */
export interface CorrectionFiles {
  runs: readonly {
    run: string;
    /** The run's name, and that of its file of rows. */
    name: string;
    file: string;
    train?: ChosenFile | undefined;
  }[];
  validation?: ChosenFile | undefined;
  base?: ChosenFolder | undefined;
}

export interface CorrectionOptions {
  /** Share of earlier rows among all rows: from 0, below 1. */
  share: number;
  /** Rows of runs that were chosen again, by the run's id. */
  given: Readonly<Record<string, ChosenFile>>;
}

/** What the next version is trained with. */
export interface PreparedCorrections {
  /** JSONL: the same bytes make the same version on the command line. */
  train: CorrectedFile;
  validation: ChosenFile | undefined;
  recipe: Recipe;
  /** What of the recipe differs from the run's: "num_train_epochs: 10 instead of 2". */
  changes: readonly string[];
  corrections: number;
  /** Earlier rows among the rows, and how many there are to draw from. */
  replayed: number;
  available: number;
  /** The form of the rows, in words. */
  form: string;
  /** Files of earlier rows that the browser has no way to. */
  missing: readonly { run: string; file: string }[];
  /** One sentence each. */
  notes: readonly string[];
}

/** Corrected answers, on the way to the next version. */
export interface CorrectionsApi {
  /** The corrections that wait in a run's tray, oldest first. */
  tray(run: string): Promise<Answer<readonly TrayCorrection[]>>;
  /** Makes of the tray what `corrections` makes of `before`, what another tab has put there meanwhile included. */
  putTray(
    run: string,
    corrections: readonly Correction[],
    before: readonly Correction[],
  ): Promise<Answer<undefined>>;
  correctionFiles(run: string): Promise<Answer<CorrectionFiles>>;
  /** The rows, the recipe and the validation rows of a run on these corrections. */
  prepareCorrections(
    run: string,
    corrections: readonly Correction[],
    files: CorrectionFiles,
    options: CorrectionOptions,
    signal?: AbortSignal,
  ): Promise<Answer<PreparedCorrections>>;
}
