import { stopIds } from '../../generate/prompt-form.ts';
import { readSourceRecord } from '../checkpoint/source-record.ts';
import type { Prepared } from '../input/prepare.ts';
import { type Advisory, ADVISORY_TITLES, type AdvisoryKind } from './advisory.ts';
import {
  learningRateAdvisory,
  modulesAdvisory,
  shortEpochAdvisory,
  warmupAdvisory,
} from './recipe-advisories.ts';
import {
  conflictAdvisory,
  cutAdvisory,
  duplicateAdvisories,
  formAdvisories,
  type NamedRows,
  noEndAdvisory,
  sharedAdvisory,
  trainedBeforeAdvisory,
} from './row-advisories.ts';

const ORDER = Object.keys(ADVISORY_TITLES) as AdvisoryKind[];

/** What is worth a look before a run of these inputs starts. */
export async function advise(prepared: Prepared): Promise<Advisory[]> {
  const { inputs, model, tokenizer, adapter, grouping, maxSteps } = prepared;
  const { training } = inputs.recipe;
  const fresh = inputs.source === undefined;
  const train: NamedRows = { ...prepared.train, name: inputs.train.name };
  const validation: NamedRows | undefined = prepared.validation && {
    ...prepared.validation,
    name: inputs.validation!.name,
  };
  const record = await readSourceRecord(inputs.source);
  const source = inputs.source && record && { ...record, name: inputs.source.name };
  const found = [
    learningRateAdvisory(training, model.config, fresh),
    warmupAdvisory(training, maxSteps),
    shortEpochAdvisory(grouping),
    modulesAdvisory(adapter, model.config, fresh),
    ...formAdvisories(train, validation, source),
    cutAdvisory(train, training.maxLength, model.config.maxPositions),
    noEndAdvisory(train, stopIds(model, tokenizer), tokenizer.named.eos?.content),
    validation && sharedAdvisory(train, validation),
    source?.trainedRows && trainedBeforeAdvisory(train, source.name, source.trainedRows),
    ...duplicateAdvisories(train),
    conflictAdvisory(train),
  ];
  return found
    .filter((one) => one !== undefined)
    .toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}
