import { ADAPTER_METADATA, adapterTensors, type LoraWeights, readAdapter } from '../../formats/adapter.ts';
import { type AdapterConfig, writeAdapterConfig } from '../../formats/adapter-config.ts';
import type { ByteSource, Folder } from '../../formats/byte-source.ts';
import type { DecoderConfig } from '../../formats/decoder-config.ts';
import { isRecord } from '../../formats/fields.ts';
import { readJson } from '../../formats/json.ts';
import { recipeToYaml } from '../../formats/recipe.ts';
import { openSafetensors, readTensor } from '../../formats/safetensors.ts';
import { type TensorData, writeSafetensors } from '../../formats/safetensors-write.ts';
import { sha256, sha256Chunks } from '../../formats/sha256.ts';
import { parseTrainerState, type TrainerState, writeTrainerState } from '../../formats/trainer-state.ts';
import { UserError } from '../../formats/user-error.ts';
import { PROMPT_FORMS, type PromptForm } from '../../generate/prompt-form.ts';
import { parseMoment } from '../../text/moment.ts';
import type { LogWindowState } from '../../train/log-window.ts';
import { type CardFacts, isCardFacts } from '../card-facts.ts';
import { isTrainedRowsText } from '../checks/trained-rows.ts';
import type { Prepared } from '../input/prepare.ts';
import type { ExecutionPlan } from '../plan/execution-plan.ts';
import { isSampleFilm, type SampleFilm } from '../samples/film.ts';
import type { RunIdentity } from './identity.ts';
import { type Files, textFile } from './store.ts';

/** A run's position, beyond adapter, optimizer and trainer_state.json. */
export interface RunCursor {
  step: number;
  identity: RunIdentity;
  plan: ExecutionPlan;
  /** The system prompt of all training rows, for programs that keep one; absent if they differ, or have none. */
  system?: string;
  logWindow: LogWindowState;
  /** Wall-clock time of each entry of log_history, in seconds since 1970. */
  logTimes: number[];
  /** Floating-point operations so far, as transformers counts them. */
  totalFlos: number;
  /** The eval_loss of what the run started from, unless log_history has it or it was not measured. */
  baseline?: number | undefined;
  /** The answers to sample prompts so far, if there are any. */
  samples?: SampleFilm | undefined;
  /** How the training rows present a question, for testing the adapter the same way. */
  prompt: PromptForm;
  /** The rows that the adapter and those it came from were trained on (`TrainedRows`); absent in earlier versions'. */
  trainedRows?: string;
  /** For the model card; absent in checkpoints of earlier versions. */
  card?: CardFacts;
  /** Whether this step was taken as the result of a run that went on from it, or was stopped. */
  taken?: true;
  /** Set if the run took only the weights of an earlier run's checkpoint. */
  weightsFrom?: string | undefined;
}

/** Maximum characters of a system prompt that is kept with every checkpoint. */
const MAX_SYSTEM = 2 ** 15;

/** What of the rows' system prompt a cursor keeps. */
export const systemPrompt = (system: string | undefined): Pick<RunCursor, 'system'> =>
  system === undefined || system.length > MAX_SYSTEM ? {} : { system };

/** A complete checkpoint in memory. */
export interface Checkpoint {
  cursor: RunCursor;
  state: TrainerState;
  adapter: LoraWeights[];
  optimizer: TensorData[];
}

/** The last file of a checkpoint or result to be written: if it is there, all files are. */
export const CURSOR = 'retune_state.json';
/** A file directly in the folder. */
const PLAIN_NAME = /^[^/\\]+$/;
const SHA256 = /^[0-9a-f]{64}$/;
const OPTIMIZER = 'optimizer.safetensors';

/** The files of a checkpoint; retune_state.json holds the SHA-256 of all others. */
export async function checkpointFiles(
  checkpoint: Checkpoint,
  { adapter: { config }, inputs }: Pick<Prepared, 'adapter' | 'inputs'>,
): Promise<Files> {
  const { cursor, state, adapter, optimizer } = checkpoint;
  const files: Files = {
    ...adapterFiles(adapter, config),
    [OPTIMIZER]: writeSafetensors(optimizer),
    'trainer_state.json': textFile(writeTrainerState(state)),
    'training_config.yaml': textFile(recipeToYaml(inputs.recipe)),
  };
  return { ...files, [CURSOR]: await cursorFile(cursor, files) };
}

/** retune_state.json for these files. */
export async function cursorFile(cursor: RunCursor, files: Files): Promise<Uint8Array[]> {
  const hashes: Record<string, string> = {};
  for (const [name, chunks] of Object.entries(files)) {
    hashes[name] = await sha256Chunks(chunks);
  }
  return textFile(cursorText(cursor, hashes));
}

/** The text of retune_state.json; `files`: SHA-256 of the others. */
export const cursorText = (cursor: RunCursor, files: Readonly<Record<string, string>>): string =>
  `${JSON.stringify({ ...cursor, files }, null, 2)}\n`;

/** The two files that PEFT loads. */
export function adapterFiles(adapter: readonly LoraWeights[], config: AdapterConfig): Files {
  return {
    'adapter_model.safetensors': writeSafetensors(adapterTensors(adapter), ADAPTER_METADATA),
    'adapter_config.json': textFile(writeAdapterConfig(config)),
  };
}

/** Reads a checkpoint back after comparing every file with its SHA-256. Throws UserError naming the broken file. */
export async function readCheckpoint(folder: Folder, decoder: DecoderConfig): Promise<Checkpoint> {
  const cursor = withoutHashes(await verifyFiles(folder));
  const { weights } = await readAdapter(folder, decoder);
  const file = await openSafetensors(await opened(folder, OPTIMIZER));
  const optimizer: TensorData[] = [];
  for (const { name, dtype, shape } of file.tensors.values()) {
    optimizer.push({ name, dtype, shape, data: await readTensor(file.tensors.get(name)!) });
  }
  const stateFile = await opened(folder, 'trainer_state.json');
  const json = await readJson(stateFile);
  return { cursor, state: parseTrainerState(json, stateFile.name), adapter: weights, optimizer };
}

/**
 * Compares the files of a checkpoint or result, all of them or the given ones, with their SHA-256. Throws UserError
 * naming the broken one.
 */
export async function verifyFiles(folder: Folder, only?: readonly string[]): Promise<CursorWithHashes> {
  const cursor = await readCursor(folder);
  const { files } = cursor;
  for (const [name, expected] of Object.entries(files)) {
    if (only && !only.includes(name)) {
      continue;
    }
    const file = await folder.open(name);
    if (!file) {
      throw broken(folder, name, 'is missing');
    }
    const found = await sha256(file);
    if (found !== expected) {
      throw broken(folder, name, `has SHA-256 ${found}, expected ${expected}`);
    }
  }
  return cursor;
}

/** A position with the SHA-256 of the files beside it. */
type CursorWithHashes = RunCursor & { files: Record<string, string> };

/** What is said of a run, without the hashes of one folder's files. */
export const withoutHashes = (cursor: CursorWithHashes): RunCursor =>
  Object.fromEntries(Object.entries(cursor).filter(([key]) => key !== 'files')) as unknown as RunCursor;

/** Reads only a checkpoint's position. Throws UserError. */
export async function readCursor(folder: Folder): Promise<CursorWithHashes> {
  const file = await folder.open(CURSOR);
  if (!file) {
    throw broken(folder, CURSOR, 'is missing');
  }
  let json: unknown;
  try {
    json = await readJson(file);
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    throw broken(folder, CURSOR, 'is not JSON');
  }
  if (!isCursor(json)) {
    throw broken(folder, CURSOR, 'does not hold what Retune writes there');
  }
  return json as unknown as CursorWithHashes;
}

/** Whether this is a checkpoint's position, in the format of any version of Retune: old ones lack some keys. */
function isCursor(json: unknown): boolean {
  if (!isRecord(json)) {
    return false;
  }
  const {
    step,
    files,
    identity,
    plan,
    logWindow,
    logTimes,
    totalFlos,
    baseline,
    samples,
    prompt,
    trainedRows,
    weightsFrom,
    card,
    taken,
  } = json;
  const isText = (value: unknown): value is string => typeof value === 'string';
  const optional = (value: unknown, test: (value: unknown) => boolean): boolean =>
    value === undefined || test(value);
  return (
    Number.isSafeInteger(step) &&
    (step as number) >= 0 &&
    isRecord(files) &&
    Object.entries(files).every(
      ([name, hash]) => PLAIN_NAME.test(name) && isText(hash) && SHA256.test(hash),
    ) &&
    isRecord(identity) &&
    Object.values(identity).every(isText) &&
    optional(json.system, isText) &&
    isRecord(plan) &&
    optional(plan.moment, (moment) => isText(moment) && parseMoment(moment) === moment) &&
    isRecord(logWindow) &&
    Object.values(logWindow).every(Number.isFinite) &&
    optional(logTimes, (times) => Array.isArray(times) && times.every(Number.isFinite)) &&
    optional(totalFlos, Number.isFinite) &&
    optional(baseline, Number.isFinite) &&
    optional(samples, isSampleFilm) &&
    optional(prompt, (form) => PROMPT_FORMS.some((known) => known === form)) &&
    optional(trainedRows, isTrainedRowsText) &&
    optional(weightsFrom, isText) &&
    optional(card, isCardFacts) &&
    optional(taken, (value) => value === true)
  );
}

async function opened(folder: Folder, name: string): Promise<ByteSource> {
  const file = await folder.open(name);
  if (!file) {
    throw broken(folder, name, 'is missing');
  }
  return file;
}

function broken(folder: Folder, file: string, what: string): UserError {
  return new UserError({
    what: `${folder.name}: ${file} ${what}`,
    so: 'so this checkpoint is broken',
    remedy: 'resume from an earlier one, or start again',
  });
}
