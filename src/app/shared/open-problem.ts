import { UserError } from '../../formats/user-error.ts';

/** The message for what was chosen but could not be opened. */
export const openProblem = (error: unknown): string =>
  error instanceof UserError
    ? error.message
    : `The browser could not open it (${String(error)}); choose it again.`;
