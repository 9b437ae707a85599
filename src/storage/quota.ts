import { StorageError, StorageFullError } from '../run/checkpoint/store.ts';
import { DatabaseError } from './database.ts';

/** The browser's storage grant for this site, in bytes. */
export interface StorageEstimate {
  used: number;
  /** Undefined if it does not say. */
  left: number | undefined;
  /** Whether the browser promised not to clear it without asking. */
  persistent: boolean;
}

/** What the browser says, if anything; Chrome's figure is rounded, so less may be left. */
export async function storageEstimate(): Promise<StorageEstimate> {
  const { storage } = navigator as { storage?: Partial<StorageManager> };
  const nothing: { usage?: number; quota?: number } = {};
  const { usage = 0, quota } = await answerOf(() => storage?.estimate?.(), nothing);
  const persistent = await answerOf(() => storage?.persisted?.(), false);
  return { used: usage, left: quota === undefined ? undefined : Math.max(0, quota - usage), persistent };
}

/** The browser's answer; `instead` if it lacks the query or refuses it. */
async function answerOf<T>(ask: () => Promise<T> | undefined, instead: T): Promise<T> {
  try {
    return (await ask()) ?? instead;
  } catch {
    return instead;
  }
}

/**
 * Runs `work`, which writes `bytes` under the name `what`. Throws StorageError, which ends with `then`, what to do
 * next.
 */
export async function withinQuota<T>(
  what: string,
  bytes: number,
  work: () => Promise<T>,
  then?: string,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DatabaseError)) {
      throw error;
    }
    if (error.why !== 'full') {
      throw new StorageError(`${what}: ${error.happened}`, error.remedy, then);
    }
    throw new StorageFullError(
      `${what}: it takes ${mb(bytes)} MB, and the browser has no room for that; delete earlier runs or free some disk space`,
      '',
      then ?? 'try again',
    );
  }
}

const mb = (bytes: number): string => Math.ceil(bytes / 1e6).toLocaleString('en-US');
