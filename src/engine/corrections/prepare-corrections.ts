import type { Correction } from '../../corrections/correction.ts';
import { correctionRows, type EarlierRows } from '../../corrections/correction-rows.ts';
import { fewRowsRecipe, recipeChanges } from '../../corrections/few-rows-recipe.ts';
import { formName, type RowForm, usualForm } from '../../corrections/row-form.ts';
import type { Folder } from '../../formats/byte-source.ts';
import { readModelLimits } from '../../formats/model-limits.ts';
import { UserError } from '../../formats/user-error.ts';
import { readCursor } from '../../run/checkpoint/checkpoint.ts';
import { firstRows, splitOff } from '../../run/input/split-rows.ts';
import type { StoredRun } from '../../storage/run-records.ts';
import { loadTokenizer } from '../../text/load-tokenizer.ts';
import { encodeRows } from '../../text/rows.ts';
import { folderOf, sourceOf } from '../files/files.ts';
import type { KeptAdapters } from '../files/kept-adapters.ts';
import type { KeptBases } from '../files/kept-bases.ts';
import type { CorrectionFiles, CorrectionOptions, PreparedCorrections } from '../protocol/corrections.ts';
import type { ChosenFile } from '../protocol/protocol.ts';
import type { KeptRuns } from '../runs/kept-runs.ts';
import { watchedSource } from '../watch.ts';

/** The file's name: with it, a run is called "V2 + corrections.jsonl". */
const TRAIN = 'corrections.jsonl';
const HELD_OUT = 'held-out.jsonl';

/** Makes the rows of the next version. */
export class CorrectionsToRows {
  readonly #runs: KeptRuns;
  readonly #kept: KeptAdapters;
  readonly #bases: Pick<KeptBases, 'of'>;

  constructor(runs: KeptRuns, kept: KeptAdapters, bases: Pick<KeptBases, 'of'>) {
    this.#runs = runs;
    this.#kept = kept;
    this.#bases = bases;
  }

  /** Throws UserError. */
  async prepare(
    run: string,
    corrections: readonly Correction[],
    files: CorrectionFiles,
    { share, given }: CorrectionOptions,
    signal?: AbortSignal,
  ): Promise<PreparedCorrections> {
    const record = await this.#runs.record(run);
    const earlier: EarlierRows[] = [];
    const missing: { run: string; file: string }[] = [];
    for (const { run: id, file, train = given[id] } of files.runs) {
      if (!train) {
        missing.push({ run: id, file });
        continue;
      }
      const of = await this.#runs.record(id);
      const folder = await this.#base(of, files);
      earlier.push({
        source: watchedSource(sourceOf(train), { signal }),
        first: of.recipe.training.maxTrainSamples,
        // Where none is drawn, a base that is not at hand is not missed.
        heldOut: new Set(share === 0 && !folder ? [] : await heldOut(of, train, folder, signal)),
      });
    }
    const { seed } = record.recipe;
    const otherwise = await this.#otherwise(record);
    const own = !missing.some(({ run: id }) => id === run);
    const rows = await correctionRows(corrections, earlier, { share, seed, own, otherwise });
    const validation =
      files.validation ?? (rows.heldOut === '' ? undefined : { file: new File([rows.heldOut], HELD_OUT) });
    const recipe = fewRowsRecipe(record.recipe, corrections.length + rows.replayed, validation !== undefined);
    return {
      train: { file: new File([rows.train], TRAIN), corrected: corrections },
      validation,
      recipe,
      changes: recipeChanges(record.recipe, recipe),
      corrections: corrections.length,
      replayed: rows.replayed,
      available: rows.available,
      form: formName(rows.form),
      missing,
      notes: rows.notes,
    };
  }

  /** The form of the version's rows as its checkpoint knows it. */
  async #otherwise(record: StoredRun): Promise<RowForm> {
    const store = this.#runs.storeOf(record);
    const step = record.status === 'finished' ? undefined : (await store.checkpoints()).at(-1);
    const { prompt, system } = await readCursor(folderOf(await this.#kept.open(record.id, step)));
    return usualForm(prompt === 'chat', system);
  }

  async #base(record: StoredRun, { base }: CorrectionFiles): Promise<Folder | undefined> {
    return (await this.#bases.of(record)) ?? (base && folderOf(base));
  }
}

/** Lines of the rows that a run held out to evaluate on. Throws UserError where that takes a base that is not at hand. */
async function heldOut(
  { recipe, moment, name }: StoredRun,
  train: ChosenFile,
  base: Folder | undefined,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  if (recipe.training.valSize === undefined) {
    return [];
  }
  if (!base) {
    throw new UserError(
      `${name}: which of its rows were held out to evaluate on can only be told with its base; choose the base, or take no earlier rows.`,
    );
  }
  const tokenizer = await loadTokenizer(base, (await readModelLimits(base)).tableRows);
  const source = sourceOf(train);
  const all = await encodeRows(watchedSource(source, { signal }), tokenizer, {
    maxLength: recipe.training.maxLength,
    moment,
    onProgress: () => signal?.throwIfAborted(),
  });
  const { held } = splitOff(firstRows(all, recipe.training.maxTrainSamples), {
    recipe,
    train: source,
    validation: undefined,
  });
  return held.map(({ line }) => line);
}
