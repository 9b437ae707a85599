/** Ids that are held back for a character that is not whole; four bytes make one, so more are broken bytes. */
const MAX_HELD = 64;

/** Text of ids that arrive one at a time; a character whose bytes are not all there yet is held back. */
export class DecodeStream {
  private readonly decode: (ids: number[]) => string;
  private ids: number[] = [];
  /** The first `shown` of `ids` are told already; they stay as context, since some decoders treat a start apart. */
  private shown = 0;

  constructor(decode: (ids: number[]) => string) {
    this.decode = decode;
  }

  /** Adds an id and returns the text that is certain now. */
  push(id: number): string {
    this.ids.push(id);
    const text = this.pending();
    // A replacement character at the end is most likely the beginning of a character of several bytes.
    if ((text === '' || text.endsWith('\ufffd')) && this.ids.length - this.shown < MAX_HELD) return '';
    this.ids.splice(0, this.shown);
    this.shown = this.ids.length;
    return text;
  }

  /** What was held back, broken bytes as U+FFFD. */
  end(): string {
    const text = this.pending();
    this.shown = this.ids.length;
    return text;
  }

  private pending(): string {
    return this.decode(this.ids).slice(this.decode(this.ids.slice(0, this.shown)).length);
  }
}
