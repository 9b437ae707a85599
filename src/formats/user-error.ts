import { shortenWords } from './quote.ts';

/**
 * Something the user can mend: bad input, a missing file, too little memory. `message` is one sentence that
 * names the file, the key or line, what was found, what was expected and what to do; doors print it as it is,
 * without a stack trace, and a command exits with 2.
 */
export class UserError extends Error {
  override readonly name = 'UserError';

  constructor(message: string) {
    super(shortenWords(message));
  }
}
