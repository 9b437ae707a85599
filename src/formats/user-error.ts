import { MAX_QUOTED, shorten } from './quote.ts';

/**
 * No word of a sentence is longer: paths, names and what was not quoted where it was found. One character is
 * for the ellipsis of what has been shortened.
 */
const LONG_WORD = new RegExp(`\\S{${MAX_QUOTED + 2},}`, 'g');

/**
 * Something the user can mend: bad input, a missing file, too little memory. `message` is one sentence that
 * names the file, the key or line, what was found, what was expected and what to do; doors print it as it is,
 * without a stack trace, and a command exits with 2.
 */
export class UserError extends Error {
  override readonly name = 'UserError';

  constructor(message: string) {
    super(message.replace(LONG_WORD, shorten));
  }
}
