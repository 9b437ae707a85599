// Reference: CPython, Objects/unicodeobject.c.
import { asCount, asStr, bind, bindPlaces, slicePositions } from './arguments.ts';
import { braceFormat, type Lookup } from './brace-format.ts';
import { raised } from './faults.ts';
import { titleCase } from './letter-case.ts';
import type { Meter } from './meter.ts';
import { EMPTY, IS_SPACE, isSpace, Str } from './str.ts';
import { type CallArguments, Dict, iterateOrFail, str, Tuple, typeName, type Value } from './values.ts';

/** What methods need of the interpreter. */
export interface Context {
  meter: Meter;
  lookup: Lookup;
}

type Method = (text: Str, args: CallArguments, context: Context) => Value;

/** The methods of Python's str; those of `STR_UNKNOWN` are refused by name. */
export const STR_METHODS: Readonly<Record<string, Method>> = {
  capitalize: (text) => capitalize(text),
  center: (text, args, { meter }) => padded(text, 'center', args, meter),
  count(text, args, { meter }) {
    const { pattern, area } = searched(text, 'count', args, meter);
    if (!area) {
      return 0n;
    }
    if (pattern.text === '') {
      return BigInt(area.lengthInPoints + 1);
    }
    return BigInt(area.text.split(pattern.text).length - 1);
  },
  endswith: (text, args, { meter }) =>
    affixed(text, 'endswith', args, meter, (area, end) => area.endsWith(end)),
  find: (text, args, { meter }) => BigInt(found(text, 'find', args, meter, 'indexOf')),
  format: (text, args, { lookup, meter }) => braceFormat(text, args, lookup, meter),
  format_map(text, args, { lookup, meter }) {
    const [mapping] = bindPlaces('format_map()', args, 1, 1);
    if (!(mapping instanceof Dict)) {
      throw raised('format_map() needs a dict');
    }
    const named = new Map([...mapping.entries()].map(([key, value]) => [asStr(key, 'the key').text, value]));
    return braceFormat(text, { positional: [], named }, lookup, meter);
  },
  index: (text, args, { meter }) => mustBeFound(found(text, 'index', args, meter, 'indexOf')),
  isalnum: (text, _, context) => every(text, /^[\p{L}\p{N}]$/u, context),
  isalpha: (text, _, context) => every(text, /^\p{L}$/u, context),
  // eslint-disable-next-line no-control-regex -- ASCII begins with control characters
  isascii: (text) => /^[\x00-\x7f]*$/.test(text.text),
  isdecimal: (text, _, context) => every(text, /^\p{Nd}$/u, context),
  isdigit: (text, _, context) => every(text, DIGIT, context),
  islower: (text) => isCased(text, /\p{Lowercase}/u, /[\p{Uppercase}\p{Lt}]/u),
  isprintable: (text) => !/(?! )[\p{C}\p{Z}]/u.test(text.text),
  isspace: (text, _, context) => every(text, IS_SPACE, context),
  isupper: (text) => isCased(text, /\p{Uppercase}/u, /[\p{Lowercase}\p{Lt}]/u),
  join(text, args, { meter }) {
    const [items] = bindPlaces('join()', args, 1, 1);
    const parts: Str[] = [];
    let length = 0;
    for (const item of iterateOrFail(items!)) {
      if (!(item instanceof Str)) {
        throw raised(`sequence item ${parts.length}: expected str instance, ${typeName(item)} found`);
      }
      length += item.length + text.length;
      meter.grow(length);
      meter.read(item.length);
      parts.push(item);
    }
    return Str.join(parts, text);
  },
  ljust: (text, args, { meter }) => padded(text, 'ljust', args, meter),
  lower: (text) => lower(text),
  lstrip: (text, args, { meter }) => strip(text, charsOf('lstrip', args), meter, true, false),
  partition(text, args, { meter }) {
    const { pattern } = searched(text, 'partition', args, meter);
    notEmpty(pattern);
    const at = text.text.indexOf(pattern.text);
    if (at < 0) {
      return new Tuple([text, EMPTY, EMPTY]);
    }
    const end = at + pattern.length;
    return new Tuple([text.slice(0, at), text.slice(at, end), text.slice(end)]);
  },
  removeprefix(text, args) {
    const prefix = asStr(bindPlaces('removeprefix()', args, 1, 1)[0], 'the prefix');
    return text.text.startsWith(prefix.text) ? text.slice(prefix.length) : text;
  },
  removesuffix(text, args) {
    const suffix = asStr(bindPlaces('removesuffix()', args, 1, 1)[0], 'the suffix');
    return suffix.length > 0 && text.text.endsWith(suffix.text) ? text.slice(0, -suffix.length) : text;
  },
  replace(text, args, { meter }) {
    const [old, put, count] = bindPlaces('replace()', args, 2, 3);
    const most = count === undefined ? -1 : asCount(count, 'count');
    return replace(text, asStr(old, 'old'), asStr(put, 'new'), most, meter);
  },
  rfind: (text, args, { meter }) => BigInt(found(text, 'rfind', args, meter, 'lastIndexOf')),
  rindex: (text, args, { meter }) => mustBeFound(found(text, 'rindex', args, meter, 'lastIndexOf')),
  rjust: (text, args, { meter }) => padded(text, 'rjust', args, meter),
  rpartition(text, args, { meter }) {
    const { pattern } = searched(text, 'rpartition', args, meter);
    notEmpty(pattern);
    const at = text.text.lastIndexOf(pattern.text);
    if (at < 0) {
      return new Tuple([EMPTY, EMPTY, text]);
    }
    const end = at + pattern.length;
    return new Tuple([text.slice(0, at), text.slice(at, end), text.slice(end)]);
  },
  rsplit: (text, args, { meter }) => split(text, 'rsplit', args, meter, true),
  rstrip: (text, args, { meter }) => strip(text, charsOf('rstrip', args), meter, false, true),
  split: (text, args, { meter }) => split(text, 'split', args, meter, false),
  splitlines(text, args, { meter }) {
    const [keep] = bind('splitlines()', args, ['keepends']);
    return splitLines(text, keep === true || keep === 1n, meter);
  },
  startswith: (text, args, { meter }) =>
    affixed(text, 'startswith', args, meter, (area, begin) => area.startsWith(begin)),
  strip: (text, args, { meter }) => strip(text, charsOf('strip', args), meter, true, true),
  title(text, _, { meter }) {
    meter.eachOf(text.length * 4);
    return title(text);
  },
  upper: (text) => upper(text),
  zfill(text, args, { meter }) {
    const width = asCount(bindPlaces('zfill()', args, 1, 1)[0], 'width');
    const missing = width - text.lengthInPoints;
    if (missing <= 0) {
      return text;
    }
    meter.write(width);
    const sign = /^[-+]/.test(text.text) ? 1 : 0;
    return Str.join([text.slice(0, sign), str('0'.repeat(missing)), text.slice(sign)]);
  },
};

/** The other methods of Python's str. */
export const STR_UNKNOWN: readonly string[] = [
  'casefold',
  'encode',
  'expandtabs',
  'isidentifier',
  'isnumeric',
  'istitle',
  'maketrans',
  'swapcase',
  'translate',
];

// Case

export const upper = (text: Str): Str => text.mapped((whole) => whole.toUpperCase());
/** A final sigma depends on its neighbors, but its length does not. */
export const lower = (text: Str): Str => text.mapped((whole) => whole.toLowerCase());

export function capitalize(text: Str): Str {
  const first = text.unitOf(1);
  // Python lowers the rest as part of the whole: a sigma at its end is a final one.
  const whole = lower(text);
  const rest = whole.slice(lower(text.slice(0, first)).length);
  return text
    .slice(0, first)
    .mapped((character) => (character ? titleCase(character) : ''))
    .plus(rest);
}

function title(text: Str): Str {
  let inWord = false;
  const parts: Str[] = [];
  const lowered = lower(text).text;
  let at = 0;
  for (const point of text.points()) {
    const low = point.text.toLowerCase();
    // Within a word, the lowered text has the right sigma.
    const own = lowered.slice(at, at + low.length);
    at += low.length;
    parts.push(point.mapped((character) => (inWord ? own : titleCase(character))));
    inWord = /\p{Cased}/u.test(point.text);
  }
  return Str.join(parts);
}

const isCased = ({ text }: Str, wanted: RegExp, other: RegExp): boolean =>
  wanted.test(text) && !other.test(text);

/**
 * Decimal digits, and those that Unicode calls digits without being decimal, such as superscripts and circled
 * digits.
 */
const DIGIT =
  /^[\p{Nd}²³¹፩-፱᧚⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒\u{10a40}-\u{10a43}\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}]$/u;

function every(text: Str, pattern: RegExp, { meter }: Context): boolean {
  meter.eachOf(text.length);
  return text.length > 0 && [...text.text].every((point) => pattern.test(point));
}

// Ends

/** The characters that a strip method removes; undefined for white space. */
function charsOf(name: string, args: CallArguments): Str | undefined {
  const [chars] = bindPlaces(`${name}()`, args, 0, 1);
  return chars === undefined || chars === null ? undefined : asStr(chars, 'chars');
}

export function strip(
  text: Str,
  chars: Str | undefined,
  meter: Meter,
  atBegin: boolean,
  atEnd: boolean,
): Str {
  meter.read(text.length);
  const set = chars && new Set(chars.text);
  const drops = set ? (point: string) => set.has(point) : isSpace;
  let [begin, end] = [0, text.length];
  const pointAt = (at: number): string => String.fromCodePoint(text.text.codePointAt(at)!);
  while (atBegin && begin < end && drops(pointAt(begin))) {
    begin += pointAt(begin).length;
  }
  while (atEnd && end > begin) {
    const isPair = end - begin > 1 && text.text.codePointAt(end - 2)! > 0xffff;
    const last = text.text.slice(end - (isPair ? 2 : 1), end);
    if (!drops(last)) {
      break;
    }
    end -= last.length;
  }
  return text.slice(begin, end);
}

function padded(text: Str, name: 'center' | 'ljust' | 'rjust', args: CallArguments, meter: Meter): Str {
  const [width, fill] = bindPlaces(`${name}()`, args, 1, 2);
  const filler = fill === undefined ? str(' ') : asStr(fill, 'the fill character');
  if (filler.lengthInPoints !== 1) {
    throw raised('The fill character must be exactly one character long');
  }
  return pad(text, name, asCount(width, 'width'), filler, meter);
}

export function pad(
  text: Str,
  name: 'center' | 'ljust' | 'rjust',
  width: number,
  filler: Str,
  meter: Meter,
): Str {
  const missing = width - text.lengthInPoints;
  if (missing <= 0) {
    return text;
  }
  meter.write(width);
  // If the padding is odd, Python puts the larger half on the left of texts in odd widths.
  const middle = Math.floor(missing / 2) + (missing & width & 1);
  const before = { ljust: 0, rjust: missing, center: middle }[name];
  return Str.join([filler.times(before), text, filler.times(missing - before)]);
}

function affixed(
  text: Str,
  name: string,
  args: CallArguments,
  meter: Meter,
  has: (area: string, affix: string) => boolean,
): boolean {
  const [affixes, begin, end] = bindPlaces(`${name}()`, args, 1, 3);
  const area = areaOf(text, begin, end);
  const list = affixes instanceof Tuple ? affixes.items : [affixes];
  return list.some((affix) => {
    const { text: sought, length } = asStr(affix, `${name} first arg`);
    meter.read(length);
    return area !== undefined && has(area.text, sought);
  });
}

// Searching

/** The part between two positions in code points; undefined if it starts beyond the end. */
function areaOf(text: Str, begin: Value | undefined, end: Value | undefined): Str | undefined {
  if (begin === undefined && end === undefined) {
    return text;
  }
  const length = text.lengthInPoints;
  const place = (value: Value | undefined): number | undefined =>
    value === undefined || value === null ? undefined : asCount(value, 'slice indices');
  const from = place(begin);
  if (from !== undefined && from > length) {
    return undefined;
  }
  const { first, count } = slicePositions(length, from, place(end), 1);
  return text.slice(text.unitOf(first), text.unitOf(first + count));
}

/** The sought text, and where to search: `area` starts at the code point `offset`. */
function searched(
  text: Str,
  name: string,
  args: CallArguments,
  meter: Meter,
): { pattern: Str; area: Str | undefined; offset: number } {
  const [sought, begin, end] = bindPlaces(`${name}()`, args, 1, 3);
  const pattern = asStr(sought, 'the sought text');
  meter.search(text.length, pattern.length);
  const from = begin === undefined || begin === null ? 0 : asCount(begin, 'start');
  const offset = from < 0 ? Math.max(0, from + text.lengthInPoints) : from;
  return { pattern, area: areaOf(text, begin, end), offset };
}

function found(
  text: Str,
  name: string,
  args: CallArguments,
  meter: Meter,
  way: 'indexOf' | 'lastIndexOf',
): number {
  const { pattern, area, offset } = searched(text, name, args, meter);
  const at = area?.text[way](pattern.text) ?? -1;
  return at < 0 ? -1 : offset + area!.pointOf(at);
}

function mustBeFound(at: number): bigint {
  if (at < 0) {
    throw raised('substring not found');
  }
  return BigInt(at);
}

function notEmpty(separator: Str): void {
  if (separator.text === '') {
    throw raised('empty separator');
  }
}

// Parts

export function replace(text: Str, old: Str, put: Str, most: number, meter: Meter): Str {
  meter.search(text.length, old.length);
  const limit = most < 0 ? Infinity : most;
  if (old.text === '') {
    // Before every character and at the end.
    meter.eachOf(text.length);
    const points = [...text.points()];
    const count = Math.min(limit, points.length + 1);
    meter.write(text.length + count * put.length);
    const parts = points.flatMap((point, i) => (i < count ? [put, point] : [point]));
    return Str.join(points.length < count ? [...parts, put] : parts);
  }
  const parts = pieces(text, old.text, limit, false, meter);
  meter.write(text.length + (parts.length - 1) * (put.length - old.length));
  return Str.join(parts, put);
}

/** The text split at a separator, at most `most` times, from the left or the right. */
function pieces(text: Str, separator: string, most: number, fromRight: boolean, meter: Meter): Str[] {
  const parts: Str[] = [];
  let [begin, end] = [0, text.length];
  for (let cuts = 0; cuts < most; cuts++) {
    meter.spend(1);
    // Otherwise a search to the left of the beginning would find a separator there.
    const at = fromRight
      ? end < separator.length
        ? -1
        : text.text.lastIndexOf(separator, end - separator.length)
      : text.text.indexOf(separator, begin);
    if (at < 0) {
      break;
    }
    if (fromRight) {
      parts.push(text.slice(at + separator.length, end));
      end = at;
    } else {
      parts.push(text.slice(begin, at));
      begin = at + separator.length;
    }
  }
  parts.push(text.slice(begin, end));
  return fromRight ? parts.reverse() : parts;
}

function split(text: Str, name: string, args: CallArguments, meter: Meter, fromRight: boolean): Value[] {
  const [separator, maximum] = bind(`${name}()`, args, ['sep', 'maxsplit']);
  const count = maximum === undefined ? -1 : asCount(maximum, 'maxsplit');
  const most = count < 0 ? Infinity : count;
  if (separator !== undefined && separator !== null) {
    const sought = asStr(separator, 'the separator');
    notEmpty(sought);
    meter.search(text.length, sought.length);
    return pieces(text, sought.text, most, fromRight, meter);
  }
  meter.read(text.length);
  return words(text, most, fromRight, meter);
}

/** The text split at runs of white space, with none at the ends. */
function words(text: Str, most: number, fromRight: boolean, meter: Meter): Str[] {
  const bounds: [begin: number, end: number][] = [];
  for (let at = 0; at < text.length;) {
    while (at < text.length && isSpace(text.text[at]!)) {
      at++;
    }
    const begin = at;
    while (at < text.length && !isSpace(text.text[at]!)) {
      at++;
    }
    if (at > begin) {
      bounds.push([begin, at]);
    }
  }
  meter.list(bounds.length);
  if (bounds.length <= most) {
    return bounds.map(([begin, end]) => text.slice(begin, end));
  }
  if (fromRight) {
    const apart = most === 0 ? [] : bounds.slice(-most);
    const rest = text.slice(0, bounds[bounds.length - most - 1]![1]);
    return [
      strip(rest, undefined, meter, false, true),
      ...apart.map(([begin, end]) => text.slice(begin, end)),
    ];
  }
  const apart = bounds.slice(0, most);
  return [...apart.map(([begin, end]) => text.slice(begin, end)), text.slice(bounds[most]![0])];
}

const LINE_END = /\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]/g; // eslint-disable-line no-control-regex -- Python's set

export function splitLines(text: Str, keepEnds: boolean, meter: Meter): Str[] {
  meter.read(text.length);
  const lines: Str[] = [];
  let begin = 0;
  for (const match of text.text.matchAll(LINE_END)) {
    const end = match.index + match[0].length;
    lines.push(text.slice(begin, keepEnds ? end : match.index));
    begin = end;
  }
  if (begin < text.length) {
    lines.push(text.slice(begin));
  }
  meter.list(lines.length);
  return lines;
}
