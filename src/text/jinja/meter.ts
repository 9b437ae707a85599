import { raised, TemplateFault } from './faults.ts';

/**
 * The cost allowed for a template, besides what grows with the conversation. None of 184 published templates
 * reached it.
 */
const MAX_STEPS = 2_000_000;
const STEPS_A_CHARACTER = 10;
/** UTF-16 units of one text, besides those of the conversation. */
const MAX_LENGTH = 4_000_000;
const LENGTHS_A_CHARACTER = 4;
const MAX_ITEMS = 1_000_000;
/** Nesting of statements, expressions and values; more would overflow the stack. */
const MAX_DEPTH = 1000;
/** Characters copied or compared at the cost of one step. */
const CHARACTERS_A_STEP = 32;

/** Counts the cost of rendering a template. Throws a TemplateFault of kind `limit` if it is too high. */
export class Meter {
  #left: number;
  readonly #maxLength: number;
  #depth = 0;

  /** `size`: characters of the conversation. */
  constructor(size: number) {
    this.#left = MAX_STEPS + STEPS_A_CHARACTER * size;
    this.#maxLength = MAX_LENGTH + LENGTHS_A_CHARACTER * size;
  }

  /** Remaining steps. */
  get left(): number {
    return this.#left;
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) {
      throw new TemplateFault('limit', 'it does more work than any chat needs');
    }
  }

  /** For creating something per character. */
  eachOf(characters: number): void {
    this.spend(characters);
  }

  /** For work on a text as a whole. */
  read(characters: number): void {
    this.spend(1 + Math.floor(characters / CHARACTERS_A_STEP));
  }

  /** Before a text of that length is created. */
  write(characters: number): void {
    this.grow(characters);
    this.read(characters);
  }

  /** While a text grows to that length. */
  grow(characters: number): void {
    if (!(characters <= this.#maxLength)) {
      throw new TemplateFault('limit', 'it makes a longer text than any chat needs');
    }
  }

  /** Before a list of that length is created. */
  list(items: number): void {
    if (!(items <= MAX_ITEMS)) {
      throw new TemplateFault('limit', 'it makes a longer list than any chat needs');
    }
    this.spend(1 + Math.floor(items / 4));
  }

  /** Before a search: at worst, the pattern is compared with every position of the text. */
  search(text: number, pattern: number): void {
    this.spend(1 + Math.floor((text * Math.min(pattern, text + 1)) / 256));
  }

  /** Runs nested work. */
  nest<T>(work: () => T): T {
    this.enter();
    const result = work();
    this.leave();
    return result;
  }

  /** Each `enter` has its `leave`, unless an error ends the rendering. */
  enter(): void {
    if (++this.#depth > MAX_DEPTH) {
      throw raised('maximum recursion depth exceeded');
    }
  }

  leave(): void {
    this.#depth--;
  }
}
