import { UserError } from '../../formats/user-error.ts';
import { counted } from '../../formats/words.ts';
import { type EncodedRow, type EncodedRows, trainedTargets } from '../../text/rows.ts';
import { RowsTally } from '../../text/rows-tally.ts';
import { type HeldBack, holdBack } from './hold-back.ts';
import type { RunInputs } from './run-inputs.ts';

/** The first `count` rows of the file, including skipped ones. Throws UserError if none of them is trained. */
export function firstRows(all: EncodedRows, count: number | undefined): EncodedRows {
  const places = [...all.rows, ...all.skipped].map(({ place }) => place).toSorted((a, b) => a - b);
  if (count === undefined || count >= places.length) {
    return all;
  }
  const last = places[count - 1]!;
  const rows = all.rows.filter(({ place }) => place <= last);
  if (rows.length === 0) {
    throw new UserError(
      `training.max_train_samples is ${count}, and the first ${counted(count, 'row')} of the file have no trained token; raise it.`,
    );
  }
  return withRows({ ...all, skipped: all.skipped.filter(({ place }) => place <= last) }, rows);
}

/** Takes the rows for evaluation out of the training data, if the recipe says so. */
export function splitOff(
  all: EncodedRows,
  { recipe, train: file, validation }: Pick<RunInputs, 'recipe' | 'train' | 'validation'>,
) {
  const { valSize: size } = recipe.training;
  if (size === undefined) {
    return { train: all, held: [], heldBack: undefined };
  }
  if (validation) {
    throw new UserError(
      `${validation.name}: this validation file and training.val_size (${size}) both say what to evaluate on; leave one of them out.`,
    );
  }
  const { seed } = recipe;
  const { train, held } = holdBack(all.rows, { size, seed }, file.name);
  const heldBack: HeldBack = { size, seed, rows: held.length, of: all.rows.length };
  return { train: withRows(all, train), held, heldBack };
}

/** The same file, reduced to these of its rows. */
function withRows(all: EncodedRows, rows: EncodedRow[]): EncodedRows {
  const tally = new RowsTally();
  for (const row of rows) {
    tally.take(all.format, row.ids, row.trained, trainedTargets(row), row.cut);
  }
  const { tokens, trainedTokens, longest, cut, duplicates } = tally;
  return { ...all, rows, stats: { tokens, trainedTokens, longest, cut, duplicates } };
}
