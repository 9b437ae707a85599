/** Ids held back for an incomplete character; four bytes make one, so more are broken bytes. */
const MAX_HELD = 64;

/** Decodes ids that arrive one at a time; a character whose bytes are incomplete is held back. */
export class DecodeStream {
  private readonly decode: (ids: number[]) => string;
  private ids: number[] = [];
  /**
   * The first `shown` of `ids` are already emitted; they stay as context, because some decoders treat the start
   * differently.
   */
  private shown = 0;

  constructor(decode: (ids: number[]) => string) {
    this.decode = decode;
  }

  /** Adds an id; returns the text that is now certain. */
  push(id: number): string {
    this.ids.push(id);
    const text = this.pending();
    // A replacement character at the end is most likely the start of a multi-byte character.
    if ((text === '' || text.endsWith('\ufffd')) && this.ids.length - this.shown < MAX_HELD) {
      return '';
    }
    this.ids.splice(0, this.shown);
    this.shown = this.ids.length;
    return text;
  }

  /** The text held back, with broken bytes as U+FFFD. */
  end(): string {
    const text = this.pending();
    this.shown = this.ids.length;
    return text;
  }

  private pending(): string {
    return this.decode(this.ids).slice(this.decode(this.ids.slice(0, this.shown)).length);
  }
}
