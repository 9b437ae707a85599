import { StorageError, StorageFullError } from '../run/checkpoint/store.ts';
import { DatabaseError } from './database.ts';

/** What the browser grants this site, in bytes. */
export interface StorageEstimate {
  used: number;
  /** undefined where it does not say. */
  left: number | undefined;
  /** Whether the browser promised not to clear it by itself. */
  persistent: boolean;
}

/** What the browser says, if anything; Chrome tells a round figure, so that what is really left may be less. */
export async function storageEstimate(): Promise<StorageEstimate> {
  const { storage } = navigator as { storage?: Partial<StorageManager> };
  const nothing: { usage?: number; quota?: number } = {};
  const { usage = 0, quota } = await answerOf(() => storage?.estimate?.(), nothing);
  const persistent = await answerOf(() => storage?.persisted?.(), false);
  return { used: usage, left: quota === undefined ? undefined : Math.max(0, quota - usage), persistent };
}

/** What the browser answers; `instead` where it has no such question or refuses it. */
async function answerOf<T>(ask: () => Promise<T> | undefined, instead: T): Promise<T> {
  try {
    return (await ask()) ?? instead;
  } catch {
    return instead;
  }
}

/** Does `work`, which writes `bytes` under the name of `what`. Throws StorageError, which ends with what to do `then`. */
export async function withinQuota<T>(
  what: string,
  bytes: number,
  work: () => Promise<T>,
  then?: string,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    if (!error.full) throw new StorageError(`${what}: ${error.happened}`, error.remedy, then);
    throw new StorageFullError(
      `${what}: it takes ${mb(bytes)} MB, and the browser has no room for that; delete earlier runs or free some disk space`,
      '',
      then ?? 'try again',
    );
  }
}

const mb = (bytes: number): string => Math.ceil(bytes / 1e6).toLocaleString('en-US');
