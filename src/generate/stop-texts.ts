/**
 * Cuts a stream of text before the first of some texts; what may be the beginning of one is held back until it is
 * certain.
 */
export class StopTexts {
  readonly #texts: readonly string[];
  #held = '';
  #found = false;

  /** None of the texts may be empty. */
  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  /** Whether one of the texts has come: nothing follows. */
  get found(): boolean {
    return this.#found;
  }

  /** Adds text; returns what is now certain to come before any of the texts. */
  push(text: string): string {
    if (this.#found) {
      return '';
    }
    const all = this.#held + text;
    const at = this.#texts.map((stop) => all.indexOf(stop)).filter((index) => index >= 0);
    if (at.length > 0) {
      this.#found = true;
      this.#held = '';
      return all.slice(0, Math.min(...at));
    }
    const held = Math.max(0, ...this.#texts.map((stop) => overlap(all, stop)));
    this.#held = all.slice(all.length - held);
    return all.slice(0, all.length - held);
  }

  /** The text held back: it was the beginning of none. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}

/** The length of the longest end of `text` with which `stop` begins. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) {
      return length;
    }
  }
  return 0;
}
