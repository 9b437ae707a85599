/** A sentence quotes so many characters of anything foreign at most. */
export const MAX_QUOTED = 200;

const count = (n: number, what: string): string => `(${n.toLocaleString('en-US')} ${what})`;

/** A foreign value as JSON writes it ("text", 5, [1,2]), cut where it is long; "nothing" for undefined. */
export function quote(value: unknown): string {
  if (value === undefined) return 'nothing';
  const begin = bounded(value, MAX_QUOTED);
  if (begin.length <= MAX_QUOTED) return begin;
  const cut = `${begin.slice(0, MAX_QUOTED)}…`;
  if (typeof value === 'string') return `${cut}" ${count(value.length, 'characters')}`;
  if (Array.isArray(value)) return `${cut} ${count(value.length, 'items')}`;
  return `${cut} ${count(entriesOf(value as object).length, 'keys')}`;
}

/** Foreign values, as many as there is room for. */
export function quoteAll(values: readonly unknown[]): string {
  let text = '';
  for (const [i, value] of values.entries()) {
    const longer = i === 0 ? quote(value) : `${text}, ${quote(value)}`;
    if (i > 0 && longer.length > MAX_QUOTED) return `${text}, … ${count(values.length, 'in all')}`;
    text = longer;
  }
  return text;
}

/** A foreign name or path as it stands; the middle of a long one is left out, since both ends tell what it is. */
export function shorten(text: string): string {
  if (text.length <= MAX_QUOTED) return text;
  const half = MAX_QUOTED / 2;
  return `${text.slice(0, half)}…${text.slice(-half)} ${count(text.length, 'characters')}`;
}

/**
 * No word of a sentence is longer: paths, names, and what was not quoted where it was found. A few characters are for the
 * ellipsis, the quotation marks and the punctuation of what has been shortened.
 */
const LONG_WORD = new RegExp(`\\S{${MAX_QUOTED + 6},}`, 'g');

/** A sentence whose long words are shortened. */
export const shortenWords = (sentence: string): string => sentence.replace(LONG_WORD, shorten);

/** The value's JSON, or a beginning of it that is longer than `limit`: what follows is not looked at. */
function bounded(value: unknown, limit: number): string {
  let text = '';
  const write = (value: unknown): void => {
    if (text.length > limit) return;
    if (typeof value === 'string') text += JSON.stringify(value.slice(0, limit));
    // What stands for a number of the file spells itself.
    else if (typeof value !== 'object' || value === null || !isPlain(value)) text += String(value);
    else if (Array.isArray(value)) list('[', value, ']', write);
    else
      list('{', entriesOf(value), '}', ([key, inner]) => {
        write(key);
        text += ':';
        write(inner);
      });
  };
  const list = <T>(begin: string, items: readonly T[], end: string, writeItem: (item: T) => void): void => {
    text += begin;
    for (const [i, item] of items.entries()) {
      if (text.length > limit) return;
      if (i > 0) text += ',';
      writeItem(item);
    }
    text += end;
  };
  write(value);
  return text;
}

const entriesOf = (value: object): (readonly [unknown, unknown])[] =>
  value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value);

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return [null, Object.prototype, Map.prototype].includes(prototype as object) || Array.isArray(value);
}
