import { type AST, RegExpParser } from '@eslint-community/regexpp';

/** Longer expressions are an attack: the longest that comes with a model has a thousand characters. */
const MAX_PATTERN = 20_000;

/** An expression that cannot be read, or is of a kind that no model comes with; the message says why. */
export class PatternError extends Error {}

/** A step of the matching machine; unless stated otherwise, execution continues at `next`. */
export type Step =
  | { readonly op: 'char'; readonly set: CharSet; readonly backward: boolean }
  /** A single character that repeats. */
  | {
      readonly op: 'run';
      readonly set: CharSet;
      readonly min: number;
      readonly max: number;
      readonly greedy: boolean;
      readonly backward: boolean;
    }
  /** Continues below and, if that fails, at `other`. */
  | { readonly op: 'split'; other: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'start' | 'end' | 'match' }
  | { readonly op: 'boundary'; readonly negate: boolean }
  /** The steps below, up to `next`, are a lookaround that must match here, or must not. */
  | { readonly op: 'look'; readonly negate: boolean; next: number }
  /** Sets the counter of a repetition to 0. */
  | { readonly op: 'enter'; readonly counter: number }
  /** Decides whether the repetition iterates again, below, or ends, at `exit`. */
  | {
      readonly op: 'repeat';
      readonly counter: number;
      readonly min: number;
      readonly max: number;
      readonly greedy: boolean;
      exit: number;
    }
  /**
   * Ends an iteration: back to the `repeat` step; an optional iteration that consumed nothing fails, as in
   * JavaScript.
   */
  | { readonly op: 'again'; readonly counter: number; readonly min: number; readonly repeat: number };

export interface Program {
  readonly steps: readonly Step[];
  readonly counters: number;
  readonly unicode: boolean;
}

/** Which characters an atom matches, asked of JavaScript's engine once per character. */
export class CharSet {
  readonly #pattern: RegExp;
  readonly #ascii = new Uint8Array(128);
  readonly #others = new Map<number, boolean>();

  constructor(atom: string, flags: string) {
    this.#pattern = new RegExp(`^(?:${atom})$`, flags);
  }

  has(code: number): boolean {
    if (code >= 128) {
      return this.#other(code);
    }
    const known = this.#ascii[code]!;
    if (known !== 0) {
      return known === 1;
    }
    const found = this.#pattern.test(String.fromCharCode(code));
    this.#ascii[code] = found ? 1 : 2;
    return found;
  }

  #other(code: number): boolean {
    const known = this.#others.get(code);
    if (known !== undefined) {
      return known;
    }
    const found = this.#pattern.test(String.fromCodePoint(code));
    if (this.#others.size >= 4096) {
      this.#others.clear();
    }
    this.#others.set(code, found);
    return found;
  }
}

/** Compiles a JavaScript expression with the flag u or none. Throws PatternError. */
export function compileProgram(source: string, flags: '' | 'u'): Program {
  if (source.length > MAX_PATTERN) {
    throw new PatternError(`it has ${source.length} characters, more than ${MAX_PATTERN}`);
  }
  let pattern: AST.Pattern;
  try {
    pattern = new RegExpParser().parsePattern(source, 0, source.length, { unicode: flags === 'u' });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new PatternError('it is nested too deeply');
    }
    // The parser's message quotes the whole expression before the problem.
    throw new PatternError((error as Error).message.split(': ').at(-1));
  }
  const compiler = new Compiler(flags);
  compiler.alternatives(pattern.alternatives, false);
  compiler.steps.push({ op: 'match' });
  return { steps: compiler.steps, counters: compiler.counters, unicode: flags === 'u' };
}

class Compiler {
  readonly steps: Step[] = [];
  counters = 0;
  readonly #flags: '' | 'u';
  readonly #sets = new Map<string, CharSet>();

  constructor(flags: '' | 'u') {
    this.#flags = flags;
  }

  alternatives(alternatives: readonly AST.Alternative[], backward: boolean): void {
    const jumps: { op: 'jump'; to: number }[] = [];
    for (const [i, { elements }] of alternatives.entries()) {
      const split = { op: 'split' as const, other: 0 };
      if (i < alternatives.length - 1) {
        this.steps.push(split);
      }
      for (const element of backward ? elements.toReversed() : elements) {
        this.#element(element, backward);
      }
      if (i < alternatives.length - 1) {
        const jump = { op: 'jump' as const, to: 0 };
        this.steps.push(jump);
        jumps.push(jump);
        split.other = this.steps.length;
      }
    }
    for (const jump of jumps) {
      jump.to = this.steps.length;
    }
  }

  #element(element: AST.Element, backward: boolean): void {
    switch (element.type) {
      case 'Group':
        if (element.modifiers) {
          throw new PatternError('it changes flags within');
        }
        return this.alternatives(element.alternatives, backward);
      case 'CapturingGroup':
        return this.alternatives(element.alternatives, backward);
      case 'Quantifier':
        return this.#quantifier(element, backward);
      case 'Assertion':
        return this.#assertion(element);
      case 'Backreference':
        throw new PatternError('it refers back to a group');
      default:
        this.steps.push({ op: 'char', set: this.#set(element.raw), backward });
    }
  }

  #quantifier({ element, min, max, greedy }: AST.Quantifier, backward: boolean): void {
    const { type } = element;
    if (type === 'Character' || type === 'CharacterSet' || type === 'CharacterClass') {
      this.steps.push({ op: 'run', set: this.#set(element.raw), min, max, greedy, backward });
      return;
    }
    const counter = this.counters++;
    this.steps.push({ op: 'enter', counter });
    const repeat = { op: 'repeat' as const, counter, min, max, greedy, exit: 0 };
    const at = this.steps.push(repeat) - 1;
    this.#element(element, backward);
    this.steps.push({ op: 'again', counter, min, repeat: at });
    repeat.exit = this.steps.length;
  }

  #assertion(assertion: AST.Assertion): void {
    if ('alternatives' in assertion) {
      const look = { op: 'look' as const, negate: assertion.negate, next: 0 };
      this.steps.push(look);
      this.alternatives(assertion.alternatives, assertion.kind === 'lookbehind');
      this.steps.push({ op: 'match' });
      look.next = this.steps.length;
    } else if (assertion.kind === 'word') {
      this.steps.push({ op: 'boundary', negate: assertion.negate });
    } else {
      this.steps.push({ op: assertion.kind });
    }
  }

  #set(atom: string): CharSet {
    const known = this.#sets.get(atom);
    if (known) {
      return known;
    }
    const set = new CharSet(atom, this.#flags);
    this.#sets.set(atom, set);
    return set;
  }
}
