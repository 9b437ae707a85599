import { shortenWords } from './quote.ts';

/**
 * A problem that the user can fix: bad input, a missing file, too little memory. `message` is one sentence that
 * names the file, the key or line, what was found, what was expected and what to do. It is shown as it is, without
 * a stack trace; a command exits with code 2.
 */
export class UserError extends Error {
  override readonly name = 'UserError';

  constructor(message: string) {
    super(shortenWords(message));
  }
}
