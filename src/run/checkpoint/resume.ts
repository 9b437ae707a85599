import { type LoraWeights, readAdapter } from '../../formats/adapter.ts';
import type { Folder } from '../../formats/byte-source.ts';
import type { DecoderConfig } from '../../formats/decoder-config.ts';
import { UserError } from '../../formats/user-error.ts';
import type { Moment } from '../../text/moment.ts';
import { TrainedRows } from '../checks/trained-rows.ts';
import { type Checkpoint, CURSOR, readCheckpoint, readCursor, verifyFiles } from './checkpoint.ts';
import { differences, IDENTITY_NAMES, type RunIdentity } from './identity.ts';
import type { RunStore } from './store.ts';

/**
 * exact: resume from the latest sound checkpoint as if never stopped; weights: take only its adapter, with a fresh
 * optimizer and schedule, as the Python recipe does; never: start from V1 again.
 */
export type ResumeMode = 'exact' | 'weights' | 'never';

/** What a run starts from. */
export interface Start {
  weights: readonly LoraWeights[];
  checkpoint: Checkpoint | undefined;
  /** The checkpoint whose weights alone were taken. */
  weightsFrom: string | undefined;
  /** As a cursor keeps them. */
  trainedRows: string;
}

/** Called with the reason why a checkpoint or result was skipped. */
type OnBroken = (text: string) => void;

/** The latest sound checkpoint; undefined if there is none. Throws UserError if all are broken. */
export const latestCheckpoint = (
  store: RunStore,
  decoder: DecoderConfig,
  onBroken: OnBroken,
): Promise<Checkpoint | undefined> =>
  latestSound(store, (folder) => readCheckpoint(folder, decoder), onBroken);

/** The adapter of the latest sound checkpoint that PEFT could load, of any run. Throws UserError if there is none. */
export async function latestWeights(
  store: RunStore,
  decoder: DecoderConfig,
  onBroken: OnBroken,
): Promise<{ weights: LoraWeights[]; name: string; trainedRows: TrainedRows | undefined }> {
  const read = async (folder: Folder, name: string) => {
    // Other trainers write no hashes.
    const cursor = (await folder.open(CURSOR)) ? await verifyFiles(folder) : undefined;
    const { weights } = await readAdapter(folder, decoder);
    return { weights, name, trainedRows: TrainedRows.parse(cursor?.trainedRows) };
  };
  const latest = await latestSound(store, read, onBroken);
  if (latest) {
    return latest;
  }
  throw new UserError(
    `${store.name}: there is no checkpoint to take the weights from; leave out --resume weights, or choose the output of the earlier run.`,
  );
}

/** What `read` returns for the latest checkpoint that it does not find broken. */
async function latestSound<T>(
  store: RunStore,
  read: (folder: Folder, name: string) => Promise<T>,
  onBroken: OnBroken,
): Promise<T | undefined> {
  const steps = (await store.checkpoints()).toReversed();
  for (const [i, step] of steps.entries()) {
    try {
      return await read(await store.openCheckpoint(step), store.checkpointName(step));
    } catch (error) {
      if (!(error instanceof UserError)) {
        throw error;
      }
      const next = steps[i + 1];
      const remedy =
        next === undefined ? 'there is no earlier one' : `resuming from ${store.checkpointName(next)}`;
      onBroken(`${error.what}: ${remedy}.`);
    }
  }
  if (steps.length > 0) {
    throw new UserError(
      `${store.name}: none of the ${steps.length} checkpoints is sound; ${store.startAgain}.`,
    );
  }
  return undefined;
}

/** The current date that the stored run writes; undefined if there is no run or it writes no date. */
export async function earlierMoment(store: RunStore): Promise<Moment | undefined> {
  const result = await store.openResult();
  if (await result.open(CURSOR)) {
    return (await readCursor(result)).plan.moment;
  }
  for (const step of (await store.checkpoints()).toReversed()) {
    try {
      return (await readCursor(await store.openCheckpoint(step))).plan.moment;
    } catch (error) {
      // Resuming reports the broken ones.
      if (!(error instanceof UserError)) {
        throw error;
      }
    }
  }
  return undefined;
}

/** Throws UserError if the checkpoint has other inputs than these, naming each. */
export function checkSameRun(
  store: RunStore,
  saved: RunIdentity,
  now: RunIdentity,
  state: 'finished' | 'unfinished',
): void {
  const changed = differences(saved, now);
  if (changed.length === 0) {
    return;
  }
  const what = changed
    .map(
      (part) =>
        `${IDENTITY_NAMES[part]} (SHA-256 ${short(saved[part] ?? 'none')} then, ${short(now[part] ?? 'none')} now)`,
    )
    .join(', ');
  throw new UserError(
    `${store.name}: the ${state} run there was started with other inputs: changed ${what}; bring back what it was started with, or ${store.startAgain}.`,
  );
}

/** The identity of the run whose finished result the store holds; undefined if it holds none. */
export async function finishedIdentity(store: RunStore): Promise<RunIdentity | undefined> {
  const result = await store.openResult();
  return (await result.open(CURSOR)) && (await readCursor(result)).identity;
}

/**
 * The step of the finished result of this run, if the store holds it. A result without its adapter counts as unfinished and is
 * written again from the last checkpoint. Throws UserError if it has other inputs, or nothing to write it from.
 */
export async function finishedStep(
  store: RunStore,
  now: RunIdentity,
  onBroken: OnBroken,
): Promise<number | undefined> {
  const result = await store.openResult();
  if (!(await result.open(CURSOR))) {
    return undefined;
  }
  const { identity, step } = await readCursor(result);
  checkSameRun(store, identity, now, 'finished');
  try {
    await verifyFiles(result, RESULT);
    return step;
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    const { what } = error;
    const last = (await store.checkpoints()).at(-1);
    if (last === undefined) {
      throw new UserError(`${what}, and there is no checkpoint to write it from again; ${store.startAgain}.`);
    }
    onBroken(`${what}: writing the result again, from ${store.checkpointName(last)}.`);
    return undefined;
  }
}

/** Throws UserError if the store holds an adapter without any run's state, before a new run would overwrite it. */
export async function refuseForeignAdapter(store: RunStore): Promise<void> {
  const result = await store.openResult();
  const [adapter] = RESULT;
  if (await result.open(adapter)) {
    throw new UserError(
      `${store.name}: ${adapter} is there without a run's ${CURSOR}, and the new adapter would take its place; ${store.startAgain}.`,
    );
  }
}

/** The files that must be as the run left them; the model card and the like are the user's to edit. */
const RESULT = ['adapter_model.safetensors', 'adapter_config.json', 'trainer_state.json'] as const;

const short = (hash: string) => (hash.length > 12 ? `${hash.slice(0, 12)}…` : hash);
