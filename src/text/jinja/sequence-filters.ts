// Reference: Jinja2, src/jinja2/filters.py.
import { asCount, asStr, bind } from './arguments.ts';
import { pathGetter, selectOrReject } from './attribute-paths.ts';
import { raised } from './faults.ts';
import { type Filter, type FilterContext, ignoreCase, needs } from './filter-support.ts';
import { binary, less, sorted } from './operators.ts';
import { toStr } from './show.ts';
import { EMPTY, Str } from './str.ts';
import {
  type CallArguments,
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
  type Value,
} from './values.ts';

/** Filters of lists, dicts and other iterables. */
export const SEQUENCE_FILTERS: Readonly<Record<string, Filter>> = {
  batch(value, args, { meter }) {
    const [count, fill] = bind('batch', args, ['linecount', 'fill_with'], 1);
    return lazy(() => {
      const size = asCount(count, 'linecount');
      const items = listOf(value, meter);
      meter.list(size > items.length && fill !== undefined ? size : items.length);
      const batches: Value[][] = [];
      for (const item of items) {
        if (batches.length === 0 || batches.at(-1)!.length === size) {
          batches.push([]);
        }
        batches.at(-1)!.push(item);
      }
      const last = batches.at(-1);
      if (last && fill !== undefined && fill !== null) {
        while (last.length < size) {
          last.push(fill);
        }
      }
      return batches;
    });
  },
  dictsort(value, args, { meter }) {
    const [caseSensitive, by, reverse] = bind('dictsort', args, ['case_sensitive', 'by', 'reverse']);
    const part = by === undefined ? 'key' : asStr(by, 'by').text;
    if (part !== 'key' && part !== 'value') {
      fail('You can only sort by either "key" or "value"');
    }
    if (!(value instanceof Dict)) {
      return needs('dictsort', 'a dict', value);
    }
    const key = ([own, of]: [Value, Value]): Value => {
      const sought = part === 'key' ? own : of;
      return truth(caseSensitive ?? false) ? sought : ignoreCase(sought);
    };
    const entries = sorted([...value.entries()], key, truth(reverse ?? false), meter);
    return entries.map((entry) => new Tuple(entry));
  },
  first(value) {
    for (const item of iterateOrFail(value)) {
      return item;
    }
    return new Undefined('No first item, sequence was empty.');
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
      if (last && !less(last.key, key(item), meter)) {
        last.items.push(item);
      } else {
        groups.push({ key: key(item), items: [item] });
      }
    }
    return groups.map(({ items }) => new Tuple([own(items[0]!), items], ['grouper', 'list']));
  },
  items: (value) =>
    lazy(() => {
      if (value instanceof Undefined) {
        return [];
      }
      if (!(value instanceof Dict)) {
        throw raised('Can only get item pairs from a mapping.');
      }
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
    if (value instanceof Undefined) {
      return new Undefined('No last item, sequence was empty.');
    }
    const items = reversible(value) ?? needs('last', 'something that can be reversed', value);
    return orElse(items.at(-1), () => new Undefined('No last item, sequence was empty.'));
  },
  length(value) {
    return BigInt(lengthOf(value) ?? fail(`object of type '${typeName(value)}' has no len()`));
  },
  list: (value, _, { meter }) => listOf(value, meter),
  map: (value, args, context) =>
    lazy(() => (truth(value) ? mapped(iterateOrFail(value), mapping(args, context), context) : [])),
  max: (value, args, context) => extreme('max', value, args, context, (a, b) => less(b, a, context.meter)),
  min: (value, args, context) => extreme('min', value, args, context, (a, b) => less(a, b, context.meter)),
  reject: (value, args, context) => selectOrReject(value, args, context, false, false),
  rejectattr: (value, args, context) => selectOrReject(value, args, context, true, false),
  reverse(value, _, { meter }) {
    if (value instanceof Str) {
      meter.eachOf(value.length);
      return Str.join([...value.points()].reverse());
    }
    return new OneShot((reversible(value) ?? listOf(value, meter)).toReversed());
  },
  select: (value, args, context) => selectOrReject(value, args, context, false, true),
  selectattr: (value, args, context) => selectOrReject(value, args, context, true, true),
  slice(value, args, { meter }) {
    const [count, fill] = bind('slice', args, ['slices', 'fill_with'], 1);
    return lazy(() => {
      const slices = asCount(count, 'slices');
      if (slices <= 0) {
        fail('integer division or modulo by zero');
      }
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
  sum(value, args, context) {
    const [attribute, start] = bind('sum', args, ['attribute', 'start']);
    const of = attribute === undefined || attribute === null ? undefined : pathGetter(attribute, context);
    let sum = orElse(start, () => 0n);
    if (sum instanceof Str) {
      fail("sum() can't sum strings [use ''.join(seq) instead]");
    }
    for (const item of iterateOrFail(value)) {
      sum = binary('+', sum, of ? of(item) : item, context.meter);
    }
    return sum;
  },
  unique(value, args, context) {
    const [caseSensitive, attribute] = bind('unique', args, ['case_sensitive', 'attribute']);
    const of = pathGetter(attribute ?? null, context);
    const key = (item: Value): Value => (truth(caseSensitive ?? false) ? of(item) : ignoreCase(of(item)));
    return lazy(() => distinct(iterateOrFail(value), key));
  },
};

/** What map applies to an item: a filter, or an attribute lookup. */
function mapping({ positional, named }: CallArguments, context: FilterContext): (item: Value) => Value {
  if (positional.length === 0 && named.has('attribute')) {
    const [attribute, other] = bind('map', { positional, named }, ['attribute', 'default']);
    return pathGetter(attribute!, context, other);
  }
  if (positional.length === 0) {
    fail('map requires a filter argument');
  }
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
    if (hash === undefined) {
      noKey(key(item));
    }
    if (seen.has(hash)) {
      continue;
    }
    seen.add(hash);
    yield item;
  }
}

/** The items that Python's reversed() would visit, as a list. */
function reversible(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) {
    return value;
  }
  if (value instanceof Tuple) {
    return value.items;
  }
  if (value instanceof Str) {
    return [...value.points()];
  }
  if (value instanceof Dict) {
    return [...value.keys()];
  }
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
  for (const item of iterateOrFail(value)) {
    if (best === undefined || before(key(item), key(best))) {
      best = item;
    }
  }
  return orElse(best, () => new Undefined('No aggregated item, sequence was empty.'));
}
