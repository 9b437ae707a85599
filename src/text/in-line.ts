import { UserError } from '../formats/user-error.ts';

/** Does `work`, whose UserErrors do not name the place in a file yet. */
export function inLine<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    throw new UserError(`${place}: ${error.message}.`);
  }
}
