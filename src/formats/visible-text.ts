/**
 * Characters that a reader cannot see, or that reorder the text around them: control, bidirectional and zero-width
 * ones.
 */
const HIDDEN =
  /(?!\n)\p{Cc}|\p{Surrogate}|[\u00AD\u061C\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}]/gu;

interface TextPiece {
  text: string;
  /** Whether `text` is the name of a hidden character instead of text. */
  hidden: boolean;
}

/** Text in pieces, with every hidden character except the line feed replaced by its name (U+202E). */
export function visiblePieces(text: string): TextPiece[] {
  const pieces: TextPiece[] = [];
  let end = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > end) {
      pieces.push({ text: text.slice(end, match.index), hidden: false });
    }
    pieces.push({ text: codePointName(match[0]), hidden: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) {
    pieces.push({ text: text.slice(end), hidden: false });
  }
  return pieces;
}

/** The same as one string, for attributes and titles. */
export const visibleText = (text: string): string =>
  visiblePieces(text)
    .map((piece) => (piece.hidden ? `[${piece.text}]` : piece.text))
    .join('');

const codePointName = (character: string): string =>
  character === '\t' ? '⇥' : `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;

/**
 * The same as one line for a terminal: hidden characters and line breaks are escaped as in JSON strings (\u202e, \n),
 * so that JSON text stays the same JSON.
 */
export const escapedLine = (text: string): string =>
  text.replace(HIDDEN, escapeUnits).replaceAll('\n', '\\n');

/** Escapes lines of our own layout: their line breaks stay. */
export const escapedLines = (text: string): string => text.replace(HIDDEN, escapeUnits);

const SHORT: Readonly<Record<string, string>> = { '\t': '\\t', '\r': '\\r' };

const escapeUnits = (character: string): string =>
  SHORT[character] ??
  Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
