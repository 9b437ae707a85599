import { UserError } from '../formats/user-error.ts';

/** The effect of a browser that blocks site data, and what to do about it. */
export const NOTHING_KEPT = {
  happened: (why: string) => `the browser does not let this page keep anything (${why})`,
  remedy: "allow site data for this address in the browser's settings, then reload the page",
} as const;

const refused = (why: string): UserError =>
  new UserError(
    `The page cannot tell its tabs apart: ${NOTHING_KEPT.happened(why)}; ${NOTHING_KEPT.remedy}.`,
  );

/** The locks shared by the tabs of an origin. Throws UserError if there are none. */
export function siteLocks(): LockManager {
  const { locks } = navigator as { locks?: LockManager };
  if (!locks) {
    throw refused('there are no Web Locks');
  }
  return locks;
}

/** The error of a lock request: a UserError if the browser refuses locks like all site data. */
export const lockFailure = (error: unknown): unknown =>
  error instanceof DOMException && error.name === 'SecurityError' ? refused(error.name) : error;

/** Runs `work` while no other tab or worker of the site holds the lock. Throws UserError if the browser refuses locks. */
export async function withSiteLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  let granted = false;
  try {
    return await siteLocks().request(name, () => {
      granted = true;
      return work();
    });
  } catch (error) {
    throw granted ? error : lockFailure(error);
  }
}
