import { lockFailure, siteLocks } from './site-locks.ts';

const NAME = 'retune-run';

/** A tab that was just closed or reloaded releases its lock a moment later. */
const PATIENCE_MS = 3000;

/**
 * Runs `work` while no other tab of this browser profile trains; undefined if one does. The lock ends with the work
 * or with its tab. Throws UserError if the browser refuses locks.
 */
export async function withRunLock<T>(work: () => Promise<T>): Promise<{ value: T } | undefined> {
  let granted = false;
  try {
    const value = await siteLocks().request(NAME, { signal: AbortSignal.timeout(PATIENCE_MS) }, async () => {
      granted = true;
      return work();
    });
    return { value };
  } catch (error) {
    if (granted) {
      throw error;
    }
    if (error instanceof DOMException && /^(Timeout|Abort)Error$/.test(error.name)) {
      return undefined;
    }
    throw lockFailure(error);
  }
}

/** Whether a tab of this browser profile trains. Throws UserError if the browser refuses locks. */
export async function runLockHeld(): Promise<boolean> {
  const { held = [] } = await siteLocks()
    .query()
    .catch((error: unknown) => {
      throw lockFailure(error);
    });
  return held.some(({ name }) => name === NAME);
}

/** Resolves once no tab trains; rejects with the reason of `signal`. */
export async function runLockFree(signal?: AbortSignal): Promise<void> {
  // Shared, so that waiting does not block anyone.
  await siteLocks().request(NAME, { mode: 'shared', ...(signal && { signal }) }, () => undefined);
}

/** Whether another tab trains, apart from one that is being closed. Not for a tab that trains itself. */
export async function trainsElsewhere(): Promise<boolean> {
  if (!(await runLockHeld())) {
    return false;
  }
  return runLockFree(AbortSignal.timeout(PATIENCE_MS)).then(
    () => false,
    () => true,
  );
}
