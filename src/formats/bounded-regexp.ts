import { type CharSet, compileProgram, type Program } from './regexp-program.ts';

/** Maximum numbers on the stack: 128 MB. */
const MAX_STACK = 2 ** 24;

/** Matching took more steps than allowed. */
export class TooMuchWork extends Error {}

/** The remaining steps; several expressions may share them. */
export interface Allowance {
  steps: number;
}

/** Kinds of stack entries, three numbers each. */
const CHOICE = 0;
const COUNT = 1;
const BEGIN = 2;
const GIVE_BACK = 3;
const TAKE_MORE = 4;

/**
 * A regular expression from an untrusted file. It finds what JavaScript's own engine finds; that engine cannot be
 * interrupted and takes exponential time on some expressions. Here every step is counted, and find throws
 * TooMuchWork when the allowance is used up. Groups are not reported. The constructor throws PatternError, also for
 * backreferences.
 */
export class BoundedRegExp {
  readonly #program: Program;
  readonly #allowance: Allowance;
  /** Iterations of each repetition, and where its last one started. */
  readonly #counts: Float64Array;
  readonly #begins: Float64Array;
  readonly #stack: number[] = [];
  #text = '';

  constructor(source: string, flags: '' | 'u', allowance: Allowance) {
    this.#program = compileProgram(source, flags);
    this.#allowance = allowance;
    this.#counts = new Float64Array(this.#program.counters);
    this.#begins = new Float64Array(this.#program.counters);
  }

  test(text: string): boolean {
    return this.find(text, 0) !== undefined;
  }

  /** The first match at or after `from`. */
  find(text: string, from: number): { begin: number; end: number } | undefined {
    this.#text = text;
    for (let begin = from; begin <= text.length; begin = this.#after(begin)) {
      this.#stack.length = 0;
      const end = this.#match(0, begin);
      if (end >= 0) {
        return { begin, end };
      }
    }
    return undefined;
  }

  /**
   * Where the steps from `pc` on match up to, starting at `at`; -1 if they do not match. The stack below is left
   * unchanged.
   */
  #match(pc: number, at: number): number {
    const { steps } = this.#program;
    const stack = this.#stack;
    const bottom = stack.length;
    const allowance = this.#allowance;
    const text = this.#text;
    for (;;) {
      if (--allowance.steps < 0 || stack.length > MAX_STACK) {
        throw new TooMuchWork();
      }
      const step = steps[pc]!;
      let ok = true;
      switch (step.op) {
        case 'match':
          stack.length = bottom;
          return at;
        case 'char': {
          const next = this.#take(step.set, at, step.backward);
          ok = next >= 0;
          at = next;
          pc++;
          break;
        }
        case 'run': {
          let end = at;
          let least = at;
          let count = 0;
          const wanted = step.greedy ? step.max : step.min;
          for (let next; count < wanted && (next = this.#take(step.set, end, step.backward)) >= 0; count++) {
            end = next;
            if (count < step.min) {
              least = end;
            }
          }
          allowance.steps -= count;
          ok = count >= step.min;
          if (ok && step.greedy && end !== least) {
            stack.push(GIVE_BACK, pc, end, least);
          }
          if (ok && !step.greedy && count < step.max) {
            stack.push(TAKE_MORE, pc, end, count);
          }
          at = end;
          pc++;
          break;
        }
        case 'split':
          stack.push(CHOICE, step.other, at, 0);
          pc++;
          break;
        case 'jump':
          pc = step.to;
          break;
        case 'start':
          ok = at === 0;
          pc++;
          break;
        case 'end':
          ok = at === text.length;
          pc++;
          break;
        case 'boundary':
          ok = (isWord(text.charCodeAt(at - 1)) !== isWord(text.charCodeAt(at))) !== step.negate;
          pc++;
          break;
        case 'look':
          ok = this.#match(pc + 1, at) >= 0 !== step.negate;
          pc = step.next;
          break;
        case 'enter':
          stack.push(COUNT, step.counter, this.#counts[step.counter]!, 0);
          this.#counts[step.counter] = 0;
          pc++;
          break;
        case 'repeat': {
          const { counter, min, max, greedy, exit } = step;
          const count = this.#counts[counter]!;
          if (count >= max) {
            pc = exit;
          } else if (count >= min && !greedy) {
            stack.push(CHOICE, -pc, at, 0);
            pc = exit;
          } else {
            if (count >= min) {
              stack.push(CHOICE, exit, at, 0);
            }
            this.#goRound(counter, at);
            pc++;
          }
          break;
        }
        case 'again':
          ok = this.#counts[step.counter]! <= step.min || this.#begins[step.counter] !== at;
          pc = step.repeat;
          break;
      }
      if (ok) {
        continue;
      }
      for (let resumed = false; !resumed;) {
        if (stack.length === bottom) {
          return -1;
        }
        const z = stack.pop()!;
        const y = stack.pop()!;
        const x = stack.pop()!;
        const kind = stack.pop()!;
        allowance.steps--;
        if (kind === COUNT) {
          this.#counts[x] = y;
        } else if (kind === BEGIN) {
          this.#begins[x] = y;
        } else if (kind === CHOICE) {
          // The lazy repetition at step -x iterates once more.
          const repeat = x < 0 ? steps[-x]! : undefined;
          if (repeat?.op === 'repeat') {
            this.#goRound(repeat.counter, y);
          }
          pc = repeat ? 1 - x : x;
          at = y;
          resumed = true;
        } else {
          const run = steps[x]!;
          if (run.op !== 'run') {
            throw new Error('a run was expected');
          }
          if (kind === GIVE_BACK) {
            at = this.#oneLess(y, z, run.backward);
            if (at !== z) {
              stack.push(GIVE_BACK, x, at, z);
            }
            resumed = true;
          } else {
            at = this.#take(run.set, y, run.backward);
            resumed = at >= 0;
            if (resumed && z + 1 < run.max) {
              stack.push(TAKE_MORE, x, at, z + 1);
            }
          }
          pc = x + 1;
        }
      }
    }
  }

  #goRound(counter: number, at: number): void {
    this.#stack.push(COUNT, counter, this.#counts[counter]!, 0, BEGIN, counter, this.#begins[counter]!, 0);
    this.#counts[counter]!++;
    this.#begins[counter] = at;
  }

  /** The index after the character of the set at `at`; -1 if there is none. */
  #take(set: CharSet, at: number, backward: boolean): number {
    const next = backward ? this.#before(at) : this.#after(at);
    if (backward ? at === 0 : at >= this.#text.length) {
      return -1;
    }
    const first = backward ? next : at;
    const code = this.#program.unicode ? this.#text.codePointAt(first)! : this.#text.charCodeAt(first);
    return set.has(code) ? next : -1;
  }

  /** The end of a run, one character shorter. */
  #oneLess(end: number, least: number, backward: boolean): number {
    return backward ? Math.min(least, this.#after(end)) : Math.max(least, this.#before(end));
  }

  #after(at: number): number {
    return at + (this.#isPair(at) ? 2 : 1);
  }

  #before(at: number): number {
    return at - (at >= 2 && this.#isPair(at - 2) ? 2 : 1);
  }

  #isPair(at: number): boolean {
    if (!this.#program.unicode) {
      return false;
    }
    const text = this.#text;
    return (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
  }
}

/** The characters of \b (never with the flags i and u together). */
function isWord(code: number): boolean {
  return (
    (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122)
  );
}
