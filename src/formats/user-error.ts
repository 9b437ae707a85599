import { shortenWords } from './quote.ts';

/** The parts of a sentence: "what, so; remedy." */
interface Parts {
  /** Names the file, the key or line, what was found and what was expected. */
  readonly what: string;
  /** What follows from it: "so this checkpoint is broken". */
  readonly so?: string;
  readonly remedy?: string;
}

/**
 * A problem that the user can fix: bad input, a missing file, too little memory. `message` is one sentence that
 * names the file, the key or line, what was found, what was expected and what to do. It is shown as it is, without
 * a stack trace; a command exits with code 2.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
  /** What is wrong, without what to do about it: for a sentence that goes on in another way. */
  readonly what: string;

  constructor(sentence: string | Parts) {
    const parts = typeof sentence === 'string' ? partsOf(sentence) : sentence;
    const { what, so = '', remedy = '' } = parts;
    super(
      shortenWords(
        typeof sentence === 'string' ? sentence : `${what}${so && `, ${so}`}${remedy && `; ${remedy}`}.`,
      ),
    );
    this.what = shortenWords(what);
  }
}

/** A sentence ends with its remedy, after a semicolon. */
function partsOf(sentence: string): Parts {
  const end = sentence.lastIndexOf('; ');
  if (end >= 0) {
    return { what: sentence.slice(0, end) };
  }
  return { what: sentence.endsWith('.') ? sentence.slice(0, -1) : sentence };
}
