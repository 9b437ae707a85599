import { raised, TemplateFault } from './faults.ts';

/** What a template may cost, besides what grows with the conversation. None of 184 published templates came to it. */
const MAX_STEPS = 2_000_000;
const STEPS_A_CHARACTER = 10;
/** UTF-16 units of one text, besides those of the conversation. */
const MAX_LENGTH = 4_000_000;
const LENGTHS_A_CHARACTER = 4;
const MAX_ITEMS = 1_000_000;
/** Statements, expressions and values within each other; more would overflow the stack. */
const MAX_DEPTH = 1000;
/** So many characters are copied or compared in the time of a step. */
const CHARACTERS_A_STEP = 32;

/** Counts what rendering a template costs and throws a TemplateFault of kind `limit` where it is too much. */
export class Meter {
  #left: number;
  readonly #maxLength: number;
  #depth = 0;

  /** `size`: characters of the conversation. */
  constructor(size: number) {
    this.#left = MAX_STEPS + STEPS_A_CHARACTER * size;
    this.#maxLength = MAX_LENGTH + LENGTHS_A_CHARACTER * size;
  }

  /** Steps that are left. */
  get left(): number {
    return this.#left;
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TemplateFault('limit', 'it does more work than any chat needs');
  }

  /** For making something of each of so many characters. */
  eachOf(characters: number): void {
    this.spend(characters);
  }

  /** For work on so many characters as a whole. */
  read(characters: number): void {
    this.spend(1 + Math.floor(characters / CHARACTERS_A_STEP));
  }

  /** Before a text of so many characters is made. */
  write(characters: number): void {
    this.grow(characters);
    this.read(characters);
  }

  /** While a text grows to so many characters. */
  grow(characters: number): void {
    if (!(characters <= this.#maxLength))
      throw new TemplateFault('limit', 'it makes a longer text than any chat needs');
  }

  /** Before a list of so many items is made. */
  list(items: number): void {
    if (!(items <= MAX_ITEMS)) throw new TemplateFault('limit', 'it makes a longer list than any chat needs');
    this.spend(1 + Math.floor(items / 4));
  }

  /** Before a pattern is looked for: at worst each place of the text is compared with all of the pattern. */
  search(text: number, pattern: number): void {
    this.spend(1 + Math.floor((text * Math.min(pattern, text + 1)) / 256));
  }

  /** Does work that nests. */
  nest<T>(work: () => T): T {
    this.enter();
    const result = work();
    this.leave();
    return result;
  }

  /** Each `enter` has its `leave`, unless an error ends the rendering. */
  enter(): void {
    if (++this.#depth > MAX_DEPTH) throw raised('maximum recursion depth exceeded');
  }

  leave(): void {
    this.#depth--;
  }
}
