/** Maximum characters quoted in a message from any untrusted text. */
export const MAX_QUOTED = 200;

const count = (n: number, what: string): string => `(${n.toLocaleString('en-US')} ${what})`;

/** An untrusted value as JSON ("text", 5, [1,2]), truncated if long; "nothing" for undefined. */
export function quote(value: unknown): string {
  if (value === undefined) {
    return 'nothing';
  }
  const begin = bounded(value, MAX_QUOTED);
  if (begin.length <= MAX_QUOTED) {
    return begin;
  }
  const cut = `${begin.slice(0, MAX_QUOTED)}…`;
  if (typeof value === 'string') {
    return `${cut}" ${count(value.length, 'characters')}`;
  }
  if (Array.isArray(value)) {
    return `${cut} ${count(value.length, 'items')}`;
  }
  return `${cut} ${count(entriesOf(value as object).length, 'keys')}`;
}

/** Untrusted values, as many as fit. */
export function quoteAll(values: readonly unknown[]): string {
  let text = '';
  for (const [i, value] of values.entries()) {
    const longer = i === 0 ? quote(value) : `${text}, ${quote(value)}`;
    if (i > 0 && longer.length > MAX_QUOTED) {
      return `${text}, … ${count(values.length, 'in all')}`;
    }
    text = longer;
  }
  return text;
}

/** An untrusted name or path, unquoted; a long one is cut in the middle, because both ends identify it. */
export function shorten(text: string): string {
  if (text.length <= MAX_QUOTED) {
    return text;
  }
  const half = MAX_QUOTED / 2;
  return `${text.slice(0, half)}…${text.slice(-half)} ${count(text.length, 'characters')}`;
}

/**
 * Maximum length of a word in a message: a path, a name, or something that was not quoted at its source. The extra
 * characters allow for the ellipsis, quotation marks and punctuation around shortened text.
 */
const LONG_WORD = new RegExp(`\\S{${MAX_QUOTED + 6},}`, 'g');

/** A message with its long words shortened. */
export const shortenWords = (sentence: string): string => sentence.replace(LONG_WORD, shorten);

/** The value's JSON, or a prefix of it longer than `limit`; the rest is not visited. */
function bounded(value: unknown, limit: number): string {
  let text = '';
  const write = (value: unknown): void => {
    if (text.length > limit) {
      return;
    }
    if (typeof value === 'string') {
      text += JSON.stringify(value.slice(0, limit));
    }
    // Numbers of the file are spelled as there.
    else if (typeof value !== 'object' || value === null || !isPlain(value)) {
      text += String(value);
    } else if (Array.isArray(value)) {
      list('[', value, ']', write);
    } else {
      list('{', entriesOf(value), '}', ([key, inner]) => {
        write(key);
        text += ':';
        write(inner);
      });
    }
  };
  const list = <T>(begin: string, items: readonly T[], end: string, writeItem: (item: T) => void): void => {
    text += begin;
    for (const [i, item] of items.entries()) {
      if (text.length > limit) {
        return;
      }
      if (i > 0) {
        text += ',';
      }
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
