import { basename, dirname, join } from 'node:path';
import type { Command } from 'commander';
import { statsOf } from './stats.ts';

// A project laid out like the recipe's needs no options: what is left out is looked for at the recipe's places.

/** Of `finetune`. */
const FINETUNE = {
  sourceModel: 'models/fine_tuned',
  trainData: 'data/processed/train_finetune2.jsonl',
  valData: 'data/processed/val_finetune2.jsonl',
  config: 'configs/training_config.yaml',
} as const;

/** Of `batch-test`. */
const BATCH_TEST = { model: 'models/fine_tuned_v2', questions: 'test_questions.json' } as const;

const CONFIG = FINETUNE.config;

type Given<T extends string> = { readonly [K in T]?: string | undefined };
export interface FinetunePlaces extends Given<'valData' | 'config'> {
  sourceModel: string;
  trainData: string;
  output: string;
}
export type BatchTestPlaces = Record<'model' | 'questions' | 'output', string>;

/**
 * Completes the options of `finetune`: only where one that is required was left out, so that a whole command line means
 * the same everywhere. `told` is the line that says what was found.
 */
export async function finetunePlaces(
  given: Given<keyof FinetunePlaces>,
  command: Command,
): Promise<{ places: FinetunePlaces; told: string | undefined }> {
  const { sourceModel, trainData, output } = given;
  if (sourceModel !== undefined && trainData !== undefined && output !== undefined) {
    return { places: { ...given, sourceModel, trainData, output }, told: undefined };
  }
  const found: Given<keyof FinetunePlaces> = {
    sourceModel: await unlessGiven(sourceModel, FINETUNE.sourceModel),
    trainData: await unlessGiven(trainData, FINETUNE.trainData),
    // Rows to evaluate on belong to the rows to train on.
    valData: trainData === undefined ? await unlessGiven(given.valData, FINETUNE.valData) : undefined,
    config: await unlessGiven(given.config, FINETUNE.config),
  };
  const source = sourceModel ?? found.sourceModel;
  const next = output === undefined && source !== undefined ? nextVersion(source) : undefined;
  return {
    places: {
      valData: given.valData ?? found.valData,
      config: given.config ?? found.config,
      sourceModel: required(command, '--source-model <folder>', source),
      trainData: required(command, '--train-data <file>', trainData ?? found.trainData),
      output: required(command, '--output <folder>', output ?? next),
    },
    told: toldOf({ ...found, output: next }),
  };
}

/** The same for `batch-test`. */
export async function batchTestPlaces(
  { model, questions, output }: Given<keyof BatchTestPlaces>,
  command: Command,
): Promise<{ places: BatchTestPlaces; told: string | undefined }> {
  const found = {
    model: await unlessGiven(model, BATCH_TEST.model),
    questions: await unlessGiven(questions, BATCH_TEST.questions),
  };
  const asked = model ?? found.model;
  const results = output === undefined && asked !== undefined ? resultsOf(asked) : undefined;
  return {
    places: {
      model: required(command, '--model <folder>', asked),
      questions: required(command, '--questions <file>', questions ?? found.questions),
      output: required(command, '--output <file>', output ?? results),
    },
    told: toldOf({ ...found, output: results }),
  };
}

/** The recipe's configuration file of this project, if there is one. */
export const projectConfig = (): Promise<string | undefined> => unlessGiven(undefined, CONFIG);

async function unlessGiven(given: string | undefined, path: string): Promise<string | undefined> {
  return given === undefined && (await statsOf(path)) ? path : undefined;
}

const VERSIONED = /^fine_tuned(?:_v(\d{1,6}))?$/;

/** 1 for "fine_tuned", 2 for "fine_tuned_v2"; undefined for other names. */
function versionOf(folder: string): number | undefined {
  const match = VERSIONED.exec(basename(folder));
  return match ? Number(match[1] ?? 1) : undefined;
}

/** models/fine_tuned → models/fine_tuned_v2 → models/fine_tuned_v3. */
export function nextVersion(source: string): string | undefined {
  const version = versionOf(source);
  return version === undefined ? undefined : join(dirname(source), `fine_tuned_v${version + 1}`);
}

/** models/fine_tuned_v2 → test_results_v2.json. */
function resultsOf(model: string): string | undefined {
  const version = versionOf(model);
  return version === undefined ? undefined : `test_results_v${version}.json`;
}

function required(command: Command, flags: string, value: string | undefined): string {
  return value ?? command.error(`required option '${flags}' not specified`);
}

const FLAGS: Readonly<Record<string, string>> = {
  sourceModel: '--source-model',
  trainData: '--train-data',
  valData: '--val-data',
  config: '--config',
  model: '--model',
  questions: '--questions',
  output: '--output',
};

function toldOf(found: Readonly<Record<string, string | undefined>>): string | undefined {
  const words = Object.entries(found).flatMap(([key, path]) =>
    path === undefined ? [] : [`${FLAGS[key]} ${path}`],
  );
  return words.length > 0 ? `From this project: ${words.join(' ')}` : undefined;
}
