// References: Jinja2, src/jinja2/filters.py; transformers, src/transformers/utils/chat_template_utils.py (tojson).
import { asCount, asStr, bind } from './arguments.ts';
import { pathGetter, selectOrReject } from './attribute-paths.ts';
import { getAttribute, own } from './attributes.ts';
import { raised, unsupported } from './faults.ts';
import {
  integer,
  isInteger,
  isNumber,
  numeric,
  parseFloat,
  parseInteger,
  roundFloat,
  roundInteger,
  toFloat,
} from './numbers.ts';
import { binary, escaped, less, sorted } from './operators.ts';
import { percentFormat, truncated } from './percent-format.ts';
import { toJson, toStr } from './show.ts';
import { EMPTY, SPACE, Str } from './str.ts';
import { capitalize, lower, pad, replace, splitLines, strip, upper, type Context } from './str-methods.ts';
import {
  Dict,
  DictView,
  fail,
  hashOf,
  iterateOrFail,
  lazy,
  lengthOf,
  listOf,
  noKey,
  OneShot,
  orElse,
  Range,
  str,
  truth,
  Tuple,
  typeName,
  Undefined,
  type CallArguments,
  type Value,
} from './values.ts';

/** What filters need of the interpreter. */
export interface FilterContext extends Context {
  filter(name: string, value: Value, args: CallArguments): Value;
  test(name: string, value: Value, args: CallArguments): boolean;
}

type Filter = (value: Value, args: CallArguments, context: FilterContext) => Value;

/** Jinja2's filters, with tojson as in transformers; those of `UNKNOWN_FILTERS` are refused by name. */
const FILTERS: Readonly<Record<string, Filter>> = {
  abs(value) {
    if (!isNumber(value)) return needs('abs()', 'a number', value);
    const number = numeric(value);
    if (typeof number === 'number') return Math.abs(number);
    return number < 0n ? -number : number;
  },
  attr(value, args, context) {
    const [name] = bind('attr', args, ['name'], 1);
    // Unlike value.name, this does not look for an item of that name.
    if (
      value instanceof Dict &&
      !['get', 'items', 'keys', 'values', 'copy'].includes(asStr(name, 'name').text)
    )
      return new Undefined(`'dict object' has no attribute '${asStr(name, 'name').text.slice(0, 100)}'`);
    return getAttribute(value, asStr(name, 'name').text, context);
  },
  batch(value, args, { meter }) {
    const [count, fill] = bind('batch', args, ['linecount', 'fill_with'], 1);
    return lazy(() => {
      const size = asCount(count, 'linecount');
      const items = listOf(value, meter);
      meter.list(size > items.length && fill !== undefined ? size : items.length);
      const batches: Value[][] = [];
      for (const item of items) {
        if (batches.length === 0 || batches.at(-1)!.length === size) batches.push([]);
        batches.at(-1)!.push(item);
      }
      const last = batches.at(-1);
      if (last && fill !== undefined && fill !== null) while (last.length < size) last.push(fill);
      return batches;
    });
  },
  capitalize: (value, _, { meter }) => capitalize(softStr(value, meter)),
  center(value, args, { meter }) {
    const [width] = bind('center', args, ['width']);
    const text = softStr(value, meter);
    return pad(text, 'center', width === undefined ? 80 : asCount(width, 'width'), str(' '), meter);
  },
  default(value, args) {
    const [other, boolean] = bind('default', args, ['default_value', 'boolean']);
    const isMissing = value instanceof Undefined || (truth(boolean ?? false) && !truth(value));
    return isMissing ? orElse(other, () => EMPTY) : value;
  },
  dictsort(value, args, { meter }) {
    const [caseSensitive, by, reverse] = bind('dictsort', args, ['case_sensitive', 'by', 'reverse']);
    const part = by === undefined ? 'key' : asStr(by, 'by').text;
    if (part !== 'key' && part !== 'value') fail('You can only sort by either "key" or "value"');
    if (!(value instanceof Dict)) return needs('dictsort', 'a dict', value);
    const key = ([own, of]: [Value, Value]): Value => {
      const sought = part === 'key' ? own : of;
      return truth(caseSensitive ?? false) ? sought : ignoreCase(sought);
    };
    const entries = sorted([...value.entries()], key, truth(reverse ?? false), meter);
    return entries.map((entry) => new Tuple(entry));
  },
  escape: (value, _, { meter }) => escaped(softStr(value, meter)).markedSafe,
  first(value) {
    for (const item of iterateOrFail(value)) return item;
    return new Undefined('No first item, sequence was empty.');
  },
  float(value, args) {
    const [other] = bind('float', args, ['default']);
    if (value instanceof Undefined) value.fail();
    if (isNumber(value)) return toFloat(numeric(value));
    const float = value instanceof Str ? parseFloat(value.text) : undefined;
    return float ?? orElse(other, () => 0);
  },
  forceescape: (value, _, { meter }) => escaped(toStr(value, meter)).markedSafe,
  format(value, args, { meter }) {
    if (args.named.size > 0) {
      if (args.positional.length > 0) fail("can't handle positional and keyword arguments at the same time");
      const named = new Dict([...args.named].map(([name, of]) => [str(name), of] as const));
      return percentFormat(softStr(value, meter), named, meter);
    }
    return percentFormat(softStr(value, meter), new Tuple(args.positional), meter);
  },
  groupby(value, args, context) {
    const [attribute, other, caseSensitive] = bind(
      'groupby',
      args,
      ['attribute', 'default', 'case_sensitive'],
      1,
    );
    const own = pathGetter(attribute!, context, other);
    const key = truth(caseSensitive ?? false) ? own : (item: Value) => ignoreCase(own(item));
    const { meter } = context;
    const groups: { key: Value; items: Value[] }[] = [];
    for (const item of sorted(listOf(value, meter), key, false, meter)) {
      const last = groups.at(-1);
      if (last && !less(last.key, key(item), meter)) last.items.push(item);
      else groups.push({ key: key(item), items: [item] });
    }
    return groups.map(({ items }) => new Tuple([own(items[0]!), items], ['grouper', 'list']));
  },
  indent(value, args, { meter }) {
    const [width, first, blank] = bind('indent', args, ['width', 'first', 'blank']);
    const by =
      width instanceof Str ? width : spaces(width === undefined ? 4 : asCount(width, 'width'), meter);
    const lines = splitLines(asStr(value, 'the indented value').plus(str('\n')), false, meter);
    meter.write(asStr(value, 'the indented value').length + lines.length * by.length);
    const isIndented = (line: Str, i: number): boolean =>
      i === 0 ? truth(first ?? false) : line.length > 0 || truth(blank ?? false);
    return Str.join(
      lines.map((line, i) => (isIndented(line, i) ? by.plus(line) : line)),
      str('\n'),
    );
  },
  int(value, args) {
    const [other, base] = bind('int', args, ['default', 'base']);
    if (value instanceof Undefined) value.fail();
    const instead = orElse(other, () => 0n);
    if (value instanceof Str) {
      const whole = parseInteger(value.text, base === undefined ? 10 : asCount(base, 'base'));
      if (whole !== undefined) return whole;
      const float = parseFloat(value.text);
      return float === undefined || !Number.isFinite(float) ? instead : truncated(float);
    }
    if (!isNumber(value)) return instead;
    if (isInteger(value)) return integer(value);
    if (value === Infinity || value === -Infinity) fail('cannot convert float infinity to integer');
    return Number.isNaN(value) ? instead : truncated(value);
  },
  items: (value) =>
    lazy(() => {
      if (value instanceof Undefined) return [];
      if (!(value instanceof Dict)) throw raised('Can only get item pairs from a mapping.');
      return new DictView(value, 'items');
    }),
  join(value, args, context) {
    const [separator, attribute] = bind('join', args, ['d', 'attribute']);
    const { meter } = context;
    const own = attribute === undefined || attribute === null ? undefined : pathGetter(attribute, context);
    const between = separator === undefined ? EMPTY : toStr(separator, meter);
    const parts: Str[] = [];
    let length = 0;
    for (const item of iterateOrFail(value)) {
      const part = toStr(own ? own(item) : item, meter);
      length += part.length + between.length;
      meter.grow(length);
      meter.read(part.length);
      parts.push(part);
    }
    return Str.join(parts, between);
  },
  last(value) {
    if (value instanceof Undefined) return new Undefined('No last item, sequence was empty.');
    const items = reversible(value) ?? needs('last', 'something that can be reversed', value);
    return orElse(items.at(-1), () => new Undefined('No last item, sequence was empty.'));
  },
  length(value) {
    return BigInt(lengthOf(value) ?? fail(`object of type '${typeName(value)}' has no len()`));
  },
  list: (value, _, { meter }) => listOf(value, meter),
  lower: (value, _, { meter }) => lower(softStr(value, meter)),
  map: (value, args, context) =>
    lazy(() => (truth(value) ? mapped(iterateOrFail(value), mapping(args, context), context) : [])),
  max: (value, args, context) => extreme('max', value, args, context, (a, b) => less(b, a, context.meter)),
  min: (value, args, context) => extreme('min', value, args, context, (a, b) => less(a, b, context.meter)),
  reject: (value, args, context) => selectOrReject(value, args, context, false, false),
  rejectattr: (value, args, context) => selectOrReject(value, args, context, true, false),
  replace(value, args, { meter }) {
    const [old, put, count] = bind('replace', args, ['old', 'new', 'count'], 2);
    const most = count === undefined || count === null ? -1 : asCount(count, 'count');
    return replace(toStr(value, meter), toStr(old!, meter), toStr(put!, meter), most, meter);
  },
  reverse(value, _, { meter }) {
    if (value instanceof Str) {
      meter.eachOf(value.length);
      return Str.join([...value.points()].reverse());
    }
    return new OneShot((reversible(value) ?? listOf(value, meter)).toReversed());
  },
  round(value, args) {
    const [precision, method] = bind('round', args, ['precision', 'method']);
    const digits = precision === undefined ? 0 : asCount(precision, 'precision');
    const how = method === undefined ? 'common' : asStr(method, 'method').text;
    if (!['common', 'ceil', 'floor'].includes(how)) fail('method must be common, ceil or floor');
    if (!isNumber(value)) return needs('round', 'a number', value);
    const number = numeric(value);
    if (how === 'common')
      return typeof number === 'bigint' ? roundInteger(number, BigInt(digits)) : roundFloat(number, digits);
    if (Math.abs(digits) > 300) throw unsupported('so many digits of round');
    const scale = 10 ** digits;
    return Math[how as 'ceil' | 'floor'](toFloat(number) * scale) / scale;
  },
  safe: (value, _, { meter }) => toStr(value, meter).markedSafe,
  select: (value, args, context) => selectOrReject(value, args, context, false, true),
  selectattr: (value, args, context) => selectOrReject(value, args, context, true, true),
  slice(value, args, { meter }) {
    const [count, fill] = bind('slice', args, ['slices', 'fill_with'], 1);
    return lazy(() => {
      const slices = asCount(count, 'slices');
      if (slices <= 0) fail('integer division or modulo by zero');
      const items = listOf(value, meter);
      meter.list(slices + items.length);
      const each = Math.floor(items.length / slices);
      const longer = items.length % slices;
      return Array.from({ length: slices }, (_, i) => {
        const begin = i * each + Math.min(i, longer);
        const part = items.slice(begin, begin + each + (i < longer ? 1 : 0));
        return fill !== undefined && fill !== null && i >= longer ? [...part, fill] : part;
      });
    });
  },
  sort(value, args, context) {
    const [reverse, caseSensitive, attribute] = bind('sort', args, [
      'reverse',
      'case_sensitive',
      'attribute',
    ]);
    const paths =
      attribute instanceof Str ? attribute.text.split(',').map((part) => str(part)) : [attribute ?? null];
    const getters = paths.map((path) => pathGetter(path, context));
    const key = (item: Value): Value =>
      getters.map((of) => (truth(caseSensitive ?? false) ? of(item) : ignoreCase(of(item))));
    return sorted(listOf(value, context.meter), key, truth(reverse ?? false), context.meter);
  },
  string: (value, _, { meter }) => softStr(value, meter),
  sum(value, args, context) {
    const [attribute, start] = bind('sum', args, ['attribute', 'start']);
    const of = attribute === undefined || attribute === null ? undefined : pathGetter(attribute, context);
    let sum = orElse(start, () => 0n);
    if (sum instanceof Str) fail("sum() can't sum strings [use ''.join(seq) instead]");
    for (const item of iterateOrFail(value)) sum = binary('+', sum, of ? of(item) : item, context.meter);
    return sum;
  },
  title(value, _, { meter }) {
    const text = softStr(value, meter);
    meter.eachOf(text.length);
    // A word begins after a space, hyphen or opening bracket.
    const words = [...text.text.matchAll(WORD)].map(({ 0: word, index }) => {
      const first = index + String.fromCodePoint(word.codePointAt(0)!).length;
      return upper(text.slice(index, first)).plus(lower(text.slice(first, index + word.length)));
    });
    return Str.join(words);
  },
  tojson(value, args, { meter }) {
    const [ascii, indent, separators, sortKeys] = bind('tojson', args, [
      'ensure_ascii',
      'indent',
      'separators',
      'sort_keys',
    ]);
    const options = {
      ensureAscii: truth(ascii ?? false),
      indent: indentOf(indent, meter),
      separators: separatorsOf(separators, indent === undefined || indent === null),
      sortKeys: truth(sortKeys ?? false),
    };
    return toJson(value, options, meter);
  },
  trim(value, args, { meter }) {
    const [chars] = bind('trim', args, ['chars']);
    const dropped = chars === undefined || chars === null ? undefined : asStr(chars, 'chars');
    return strip(softStr(value, meter), dropped, meter, true, true);
  },
  truncate(value, args, { meter }) {
    const [length, killwords, end, leeway] = bind('truncate', args, ['length', 'killwords', 'end', 'leeway']);
    if (value instanceof Undefined) return value;
    const text = asStr(value, 'the truncated value');
    const most = length === undefined ? 255 : asCount(length, 'length');
    const ending = end === undefined ? str('...') : asStr(end, 'end');
    const more = leeway === undefined || leeway === null ? 5 : asCount(leeway, 'leeway');
    if (most < ending.lengthInPoints || more < 0)
      fail('truncate needs a length of at least its end, and a leeway');
    if (text.lengthInPoints <= most + more) return text;
    const kept = text.slice(0, text.unitOf(most - ending.lengthInPoints));
    const space = kept.text.lastIndexOf(' ');
    const cut = truth(killwords ?? false) || space < 0 ? kept : kept.slice(0, space);
    meter.write(cut.length + ending.length);
    return cut.plus(ending);
  },
  unique(value, args, context) {
    const [caseSensitive, attribute] = bind('unique', args, ['case_sensitive', 'attribute']);
    const of = pathGetter(attribute ?? null, context);
    const key = (item: Value): Value => (truth(caseSensitive ?? false) ? of(item) : ignoreCase(of(item)));
    return lazy(() => distinct(iterateOrFail(value), key));
  },
  upper: (value, _, { meter }) => upper(softStr(value, meter)),
  wordcount(value, _, { meter }) {
    const text = softStr(value, meter);
    meter.read(text.length * 8);
    return BigInt(text.text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0);
  },
};

/** Words and the text between them. */
const WORD = new RegExp(`[-({[<${SPACE}]+|[^-({[<${SPACE}]+`, 'gu');

const ALIASES: Readonly<Record<string, string>> = { count: 'length', d: 'default', e: 'escape' };

/** Filters without arguments. */
const PLAIN = [
  ...['abs', 'capitalize', 'escape', 'first', 'forceescape', 'items', 'last', 'length', 'list', 'lower'],
  ...['reverse', 'safe', 'string', 'title', 'upper', 'wordcount'],
];

/** Jinja2's other filters. */
const UNKNOWN_FILTERS = [
  'filesizeformat',
  'pprint',
  'random',
  'striptags',
  'urlencode',
  'urlize',
  'wordwrap',
  'xmlattr',
];

/** Filters that treat a safe text like any other, or leave it unchanged. */
const NOT_MINDING_SAFE = [
  'default',
  'escape',
  'first',
  'last',
  'length',
  'list',
  'safe',
  'string',
  'tojson',
  'trim',
];

export function callFilter(name: string, value: Value, args: CallArguments, context: FilterContext): Value {
  const known = own(ALIASES, name) ?? name;
  const filter = own(FILTERS, known);
  if (!filter) {
    if (UNKNOWN_FILTERS.includes(name)) throw unsupported(`the filter ${name}`);
    throw raised(`No filter named '${name.slice(0, 100)}'`);
  }
  if (value instanceof Str) {
    context.meter.read(value.length);
    if (value.safe && !NOT_MINDING_SAFE.includes(known))
      throw unsupported(`the filter ${name} on a text that is marked safe`);
  }
  if (PLAIN.includes(known)) bind(name, args, []);
  return filter(value, args, context);
}

export const isFilter = (name: string): boolean =>
  own(ALIASES, name) !== undefined || own(FILTERS, name) !== undefined || UNKNOWN_FILTERS.includes(name);

/** markupsafe's soft_str: a text unchanged, anything else as Python's str. */
const softStr = (value: Value, meter: FilterContext['meter']): Str =>
  value instanceof Str ? value : toStr(value, meter);

function needs(what: string, kind: string, value: Value): never {
  if (value instanceof Undefined) value.fail();
  throw raised(`${what} needs ${kind}, not ${typeName(value)}`);
}

const ignoreCase = (value: Value): Value => (value instanceof Str ? lower(value) : value);

function spaces(count: number, meter: FilterContext['meter']): Str {
  if (count <= 0) return EMPTY;
  meter.write(count);
  return str(' '.repeat(count));
}

/** What map applies to an item: a filter, or an attribute lookup. */
function mapping({ positional, named }: CallArguments, context: FilterContext): (item: Value) => Value {
  if (positional.length === 0 && named.has('attribute')) {
    const [attribute, other] = bind('map', { positional, named }, ['attribute', 'default']);
    return pathGetter(attribute!, context, other);
  }
  if (positional.length === 0) fail('map requires a filter argument');
  const name = asStr(positional[0], 'the filter of map').text;
  const rest = { positional: positional.slice(1), named };
  return (item) => context.filter(name, item, rest);
}

function* mapped(
  items: Iterable<Value>,
  of: (item: Value) => Value,
  { meter }: FilterContext,
): Generator<Value> {
  for (const item of items) {
    meter.spend(1);
    yield of(item);
  }
}

function* distinct(items: Iterable<Value>, key: (item: Value) => Value): Generator<Value> {
  const seen = new Set<unknown>();
  for (const item of items) {
    const hash = hashOf(key(item));
    if (hash === undefined) noKey(key(item));
    if (seen.has(hash)) continue;
    seen.add(hash);
    yield item;
  }
}

/** The items that Python's reversed() would visit, as a list. */
function reversible(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Str) return [...value.points()];
  if (value instanceof Dict) return [...value.keys()];
  return value instanceof Range || value instanceof DictView ? [...value] : undefined;
}

function extreme(
  what: string,
  value: Value,
  args: CallArguments,
  context: FilterContext,
  before: (a: Value, b: Value) => boolean,
): Value {
  const [caseSensitive, attribute] = bind(what, args, ['case_sensitive', 'attribute']);
  const of = pathGetter(attribute ?? null, context);
  const key = (item: Value): Value => (truth(caseSensitive ?? false) ? of(item) : ignoreCase(of(item)));
  let best: Value | undefined;
  for (const item of iterateOrFail(value))
    if (best === undefined || before(key(item), key(best))) best = item;
  return orElse(best, () => new Undefined('No aggregated item, sequence was empty.'));
}

function indentOf(indent: Value | undefined, meter: FilterContext['meter']): string | undefined {
  if (indent === undefined || indent === null) return undefined;
  return indent instanceof Str ? indent.text : spaces(asCount(indent, 'indent'), meter).text;
}

function separatorsOf(separators: Value | undefined, oneLine: boolean): readonly [Str, Str] {
  if (separators === undefined || separators === null) return [str(oneLine ? ', ' : ','), str(': ')];
  const items = separators instanceof Tuple ? separators.items : separators;
  if (!Array.isArray(items) || items.length !== 2) throw raised('separators must be two texts');
  return [asStr(items[0] as Value, 'the item separator'), asStr(items[1] as Value, 'the key separator')];
}
