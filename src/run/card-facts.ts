import { isRecord } from '../formats/fields.ts';
import { anyChanges, type ChangeCounts, countChanges } from '../formats/row-changes.ts';
import { type Moment, parseMoment } from '../text/moment.ts';
import type { Prepared } from './input/prepare.ts';
import type { RunInputs } from './input/run-inputs.ts';

/** What a model card says of a run's inputs: kept with every checkpoint, from which a card may be written later. */
export interface CardFacts {
  /** The base's family, for a base without a name. */
  family: string;
  /** Names of files and folders, without their paths. */
  source?: string;
  train: { name: string; rows: number; trainedTokens: number };
  /** `rows`: all that are evaluated. */
  validation?: { name: string; rows: number };
  /** The date that the chat template writes into the rows. */
  date?: Moment;
  /** How many rows of the files were left out or edited. */
  changes?: { train: ChangeCounts; validation: ChangeCounts };
}

export function cardFacts({ inputs, model, train, evalRows }: Prepared): CardFacts {
  const { rows, stats, date } = train;
  return {
    family: model.config.family,
    ...(inputs.source && { source: fileName(inputs.source.name) }),
    train: { name: fileName(inputs.train.name), rows: rows.length, trainedTokens: stats.trainedTokens },
    ...(inputs.validation && {
      validation: { name: fileName(inputs.validation.name), rows: evalRows.length },
    }),
    ...(date !== undefined && { date }),
    ...changesOf(inputs),
  };
}

function changesOf({ train, validation }: RunInputs): Pick<CardFacts, 'changes'> {
  const changes = [train.changes, validation?.changes];
  if (!changes.some(anyChanges)) {
    return {};
  }
  return { changes: { train: countChanges(changes[0]), validation: countChanges(changes[1]) } };
}

/** A path's last component: a card may be published, so it should not reveal local folders. */
const fileName = (path: string): string => path.split(/[/\\]/).findLast(Boolean) ?? path;

/** Whether a value read from a file is what `cardFacts` makes. */
export function isCardFacts(value: unknown): value is CardFacts {
  if (!isRecord(value) || typeof value.family !== 'string' || !isRecord(value.train)) {
    return false;
  }
  const { source, train, validation, date, changes } = value;
  return (
    (source === undefined || typeof source === 'string') &&
    isNamedRows(train) &&
    Number.isSafeInteger(train.trainedTokens) &&
    (validation === undefined || isNamedRows(validation)) &&
    (date === undefined || (typeof date === 'string' && parseMoment(date) === date)) &&
    (changes === undefined || (isRecord(changes) && isCounts(changes.train) && isCounts(changes.validation)))
  );
}

const isCounts = (value: unknown): boolean =>
  isRecord(value) && Number.isSafeInteger(value.leftOut) && Number.isSafeInteger(value.edited);

const isNamedRows = (value: unknown): boolean =>
  isRecord(value) && typeof value.name === 'string' && Number.isSafeInteger(value.rows);
