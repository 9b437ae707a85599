import type { Expression } from './ast.ts';
import { TemplateFault } from './faults.ts';
import type { Token } from './lexer.ts';

/** Maximum nesting of brackets, signs and blocks. (Python itself stops at about 100.) */
const MAX_NESTING = 100;
/** Maximum chained operators, filters or subscripts, which nest to the left. */
const MAX_CHAIN = 500;

const END: Token = { type: 'end', value: 'end of template', line: 0 };

/** A template's tokens, read one by one; `skip` takes a token only if it is the given one. */
export class TokenCursor {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get now(): Token {
    return this.#tokens[this.#next] ?? { ...END, line: this.#tokens.at(-1)?.line ?? 1 };
  }

  get line(): number {
    return this.now.line;
  }

  /** Throws TemplateFault at the current line. */
  fail(problem: string): never {
    throw new TemplateFault('syntax', problem, this.line);
  }

  /** The token after the next one. */
  get after(): Token | undefined {
    return this.#tokens[this.#next + 1];
  }

  take(): Token {
    const token = this.now;
    this.#next++;
    return token;
  }

  /** Returns the last token taken. */
  back(): void {
    this.#next--;
  }

  is(type: string): boolean {
    return this.now.type === type;
  }

  isName(...names: string[]): boolean {
    return this.is('name') && names.includes(this.now.value);
  }

  skip(type: string): boolean {
    if (!this.is(type)) {
      return false;
    }
    this.#next++;
    return true;
  }

  skipName(name: string): boolean {
    if (!this.isName(name)) {
      return false;
    }
    this.#next++;
    return true;
  }

  expect(type: string): Token {
    if (!this.is(type)) {
      this.fail(`expected ${JSON.stringify(type)}, found ${this.found()}`);
    }
    return this.take();
  }

  expectName(name: string): void {
    if (!this.skipName(name)) {
      this.fail(`expected "${name}", found ${this.found()}`);
    }
  }

  found(): string {
    return JSON.stringify(this.now.value.slice(0, 40));
  }

  /** Runs `read` one level deeper. Throws TemplateFault if that is too deep. */
  nested<T>(read: () => T): T {
    if (++this.#depth > MAX_NESTING) {
      throw new TemplateFault('limit', `it nests more than ${MAX_NESTING} deep`, this.line);
    }
    const result = read();
    this.#depth--;
    return result;
  }

  /** Repeats `read` while it finds more that applies to what was read so far. */
  chain(first: Expression, read: (so: Expression) => Expression | undefined): Expression {
    let so = first;
    for (let length = 0; ; length++) {
      const longer = read(so);
      if (!longer) {
        return so;
      }
      if (length > MAX_CHAIN) {
        throw new TemplateFault('limit', `it strings more than ${MAX_CHAIN} operators together`, this.line);
      }
      so = longer;
    }
  }
}
