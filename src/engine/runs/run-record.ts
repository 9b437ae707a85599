import { anyChanges } from '../../formats/row-changes.ts';
import { UserError } from '../../formats/user-error.ts';
import type { CardLineage } from '../../run/card-lineage.ts';
import { differences, IDENTITY_NAMES, type RunIdentity } from '../../run/checkpoint/identity.ts';
import type { PrecisionChoice } from '../../run/precision.ts';
import { type StoredRun, UNREAD } from '../../storage/run-records.ts';
import type { Moment } from '../../text/moment.ts';
import type { ChosenInputs } from '../protocol/protocol.ts';

/** The record of a new run. */
export function newRecord(run: {
  id: string;
  name: string;
  inputs: ChosenInputs;
  identity: RunIdentity;
  maxSteps: number;
  precision: PrecisionChoice;
  moment: Moment | undefined;
  sourceLineage: CardLineage | undefined;
}): StoredRun {
  const { id, name, inputs, identity, maxSteps, precision, moment, sourceLineage } = run;
  return {
    id,
    name,
    created: Date.now(),
    status: 'unfinished',
    stopped: false,
    step: 0,
    maxSteps,
    recipe: inputs.recipe,
    inputs: {
      base: inputs.base.name,
      source: inputs.source?.name,
      train: inputs.train.file.name,
      validation: inputs.validation?.file.name,
    },
    handles: {},
    columns: columnsOf(inputs),
    changes: changesOf(inputs),
    sourceRun: inputs.source?.run,
    sourceStep: inputs.source?.step,
    sourceLineage,
    precision,
    moment,
    identity,
    log: [],
  };
}

function columnsOf({ train, validation }: ChosenInputs): StoredRun['columns'] {
  const columns = { train: train.columns, validation: validation?.columns };
  return columns.train || columns.validation ? columns : undefined;
}

function changesOf({ train, validation }: ChosenInputs): StoredRun['changes'] {
  const changes = { train: anyChanges(train.changes), validation: anyChanges(validation?.changes) };
  return changes.train || changes.validation ? changes : undefined;
}

/** Throws UserError where a run's record is of other files, naming each. */
export function checkSameFiles({ name, identity: saved }: StoredRun, identity: RunIdentity): void {
  const changed = differences(saved.base === UNREAD ? { ...saved, base: identity.base } : saved, identity);
  if (changed.length === 0) {
    return;
  }
  const what = changed.map((part) => IDENTITY_NAMES[part]).join(', ');
  throw new UserError(
    `${name}: these are not the files that the run was started with (changed: ${what}); choose those, or start a new run.`,
  );
}
