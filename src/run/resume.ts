import { readAdapter, type LoraWeights } from '../formats/adapter.ts';
import type { DecoderConfig } from '../formats/decoder-config.ts';
import { UserError } from '../formats/user-error.ts';
import { CURSOR, readCheckpoint, readCursor, type Checkpoint } from './checkpoint.ts';
import { differences, IDENTITY_NAMES, type RunIdentity } from './identity.ts';
import type { RunStore } from './store.ts';

/**
 * exact: go on from the latest sound checkpoint as if never stopped; weights: take over its adapter only, with a
 * fresh optimizer and schedule, as the Python recipe does; never: start from V1 again.
 */
export type ResumeMode = 'exact' | 'weights' | 'never';

/** What a run starts from. */
export interface Start {
  weights: readonly LoraWeights[];
  checkpoint: Checkpoint | undefined;
  /** The checkpoint of which only the weights were taken. */
  weightsFrom: string | undefined;
}

/** The latest sound checkpoint; `onBroken` hears why a later one was passed over. */
export async function latestCheckpoint(
  store: RunStore,
  decoder: DecoderConfig,
  onBroken: (text: string) => void,
): Promise<Checkpoint | undefined> {
  const steps = (await store.checkpoints()).toReversed();
  for (const [i, step] of steps.entries()) {
    try {
      return await readCheckpoint(await store.openCheckpoint(step), decoder);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const next = steps[i + 1];
      const remedy =
        next === undefined ? 'there is no earlier one' : `going on from ${store.checkpointName(next)}`;
      onBroken(`${error.message.replace(/;.*$/, '')}: ${remedy}.`);
    }
  }
  if (steps.length > 0)
    throw new UserError(
      `${store.name}: none of the ${steps.length} checkpoints is sound; ${store.startAgain}.`,
    );
  return undefined;
}

/** The adapter of the latest checkpoint that PEFT could load, whatever run it is of. */
export async function latestWeights(
  store: RunStore,
  decoder: DecoderConfig,
): Promise<{ weights: LoraWeights[]; name: string }> {
  const step = (await store.checkpoints()).at(-1);
  if (step === undefined)
    throw new UserError(
      `${store.name}: there is no checkpoint to take the weights from; leave out --resume weights, or choose the output of the earlier run.`,
    );
  const { weights } = await readAdapter(await store.openCheckpoint(step), decoder);
  return { weights, name: store.checkpointName(step) };
}

/** Throws UserError where the checkpoint is of other inputs than these, naming each. */
export function checkSameRun(
  store: RunStore,
  saved: RunIdentity,
  now: RunIdentity,
  state: 'finished' | 'unfinished',
): void {
  const changed = differences(saved, now);
  if (changed.length === 0) return;
  const what = changed
    .map((part) => `${IDENTITY_NAMES[part]} (SHA-256 ${short(saved[part])} then, ${short(now[part])} now)`)
    .join(', ');
  throw new UserError(
    `${store.name}: the ${state} run there was started with other inputs: changed ${what}; bring back what it was started with, or ${store.startAgain}.`,
  );
}

/** Whether the store holds the finished result of a run, and of which inputs. */
export async function finishedIdentity(store: RunStore): Promise<RunIdentity | undefined> {
  const result = await store.openResult();
  if (!(await result.open(CURSOR))) return undefined;
  return (await readCursor(result)).identity;
}

const short = (hash: string) => (hash.length > 12 ? `${hash.slice(0, 12)}…` : hash);
