/**
 * Python's title case of one character, which JavaScript lacks: its upper case with all letters but the first in
 * lower case ("ﬁ" becomes "Fi"), with a few exceptions.
 */
export function titleCase(character: string): string {
  const own = TITLES.get(character);
  if (own !== undefined) {
    return own;
  }
  // Georgian letters have capitals for whole words only.
  if (character >= '\u10d0' && character <= '\u10ff') {
    return character;
  }
  const upper = character.toUpperCase();
  // Greek capitals have the iota beside them, but below them at the beginning of a word.
  if (upper.length > 1 && upper.endsWith('Ι')) {
    const below = `${upper.slice(0, -1)}\u0345`;
    return upper.length === 2 ? below.normalize('NFC') : below;
  }
  const [first, ...rest] = upper;
  return first! + rest.join('').toLowerCase();
}

const TITLES = new Map([
  ['ŉ', 'ʼN'],
  ...['Ǆǅǆ', 'Ǉǈǉ', 'Ǌǋǌ', 'Ǳǲǳ'].flatMap((letters) =>
    [...letters].map((letter) => [letter, letters[1]!] as const),
  ),
]);
