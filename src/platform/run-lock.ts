const NAME = 'retune-run';

/** A tab that was just closed or reloaded lets go of its lock a moment later. */
const PATIENCE_MS = 3000;

/**
 * Does `work` while no other tab of this browser profile trains; undefined where one does. The lock ends with the
 * work or with its tab.
 */
export async function withRunLock<T>(work: () => Promise<T>): Promise<{ value: T } | undefined> {
  let granted = false;
  try {
    const value = await navigator.locks.request(
      NAME,
      { signal: AbortSignal.timeout(PATIENCE_MS) },
      async () => {
        granted = true;
        return work();
      },
    );
    return { value };
  } catch (error) {
    if (granted) throw error;
    return undefined;
  }
}

/** Whether a tab of this browser profile trains. */
export async function runLockHeld(): Promise<boolean> {
  const { held = [] } = await navigator.locks.query();
  return held.some(({ name }) => name === NAME);
}
