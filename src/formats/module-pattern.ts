// Reference: PEFT, src/peft/tuners/tuners_utils.py.
import { type Allowance, BoundedRegExp, TooMuchWork } from './bounded-regexp.ts';
import { quote } from './quote.ts';
import { compileProgram, PatternError } from './regexp-program.ts';
import { UserError } from './user-error.ts';

/** An untrusted expression, where it was read, and the steps that all matching for its file may take. */
export interface ModuleExpression {
  readonly file: string;
  readonly key: string;
  readonly pattern: string;
  readonly allowance: Allowance;
}

/** A literal module name, dots included: it needs no steps. */
const PLAIN = /^(?:[\w-]|\\?\.){0,200}$/;

/**
 * Returns a function that gives the end of a Python regular expression's match in a name, between two JavaScript
 * expressions. Differences in spelling are translated, unknown syntax is refused. Throws UserError.
 */
export function compilePattern(
  { file, key, pattern, allowance }: ModuleExpression,
  before: string,
  after: string,
): (name: string) => number | undefined {
  const refuse = (why: string): never => {
    throw new UserError(
      `${file}: ${key} is ${quote(pattern)}, expected a regular expression that JavaScript can read too: ${why}; list the module names instead.`,
    );
  };
  const translated = pattern
    .replaceAll('(?P<', '(?<')
    .replace(/\\([AZ])/g, (_, end) => (end === 'A' ? '^' : '$'));
  const source = `${before}(?:${translated})${after}`;
  if (PLAIN.test(pattern)) {
    const plain = new RegExp(source);
    return (name) => {
      const found = plain.exec(name);
      return found ? found[0].length : undefined;
    };
  }
  let bounded: BoundedRegExp;
  try {
    // Compiled alone first: no part of it may close the surrounding group.
    compileProgram(translated, '');
    bounded = new BoundedRegExp(source, '', allowance);
  } catch (error) {
    if (!(error instanceof PatternError)) {
      throw error;
    }
    return refuse(error.message);
  }
  return (name) => {
    try {
      return bounded.find(name, 0)?.end;
    } catch (error) {
      if (!(error instanceof TooMuchWork)) {
        throw error;
      }
      return refuse('it takes too long to match module names against it');
    }
  };
}
