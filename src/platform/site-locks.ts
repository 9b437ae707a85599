import { UserError } from '../formats/user-error.ts';

/** What a browser that blocks site data does, and what to do about it. */
export const NOTHING_KEPT = {
  happened: (why: string) => `the browser does not let this page keep anything (${why})`,
  remedy: "allow site data for this address in the browser's settings, then reload the page",
} as const;

const refused = (why: string): UserError =>
  new UserError(
    `The page cannot tell its tabs apart: ${NOTHING_KEPT.happened(why)}; ${NOTHING_KEPT.remedy}.`,
  );

/** The locks that the tabs of an origin share. Throws UserError where there are none. */
export function siteLocks(): LockManager {
  const { locks } = navigator as { locks?: LockManager };
  if (!locks) throw refused('there are no Web Locks');
  return locks;
}

/** What the request of a lock failed with; UserError where the browser refuses locks as it does all site data. */
export const lockFailure = (error: unknown): unknown =>
  error instanceof DOMException && error.name === 'SecurityError' ? refused(error.name) : error;
