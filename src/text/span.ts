/** A part [begin, end) of a text, in UTF-16 units. */
export interface Span {
  begin: number;
  end: number;
}
