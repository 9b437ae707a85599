// Reference: Jinja2, src/jinja2/environment.py (getattr, getitem) and src/jinja2/sandbox.py.
import { asCount, bindPlaces } from './arguments.ts';
import { raised, unsupported } from './faults.ts';
import { isNumber, numeric } from './numbers.ts';
import { equal } from './operators.ts';
import { pointsIn, Str } from './str.ts';
import { type Context, STR_METHODS, STR_UNKNOWN } from './str-methods.ts';
import {
  Callable,
  type CallArguments,
  Dict,
  DictView,
  hashOf,
  Loop,
  Namespace,
  orElse,
  Range,
  str,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/**
 * Attributes of Python's types that are not supported, and those that the sandbox forbids because they modify the
 * object.
 */
const UNKNOWN: Readonly<Record<string, readonly string[]>> = {
  int: [
    'as_integer_ratio',
    'bit_count',
    'bit_length',
    'conjugate',
    'denominator',
    'from_bytes',
    'imag',
    'numerator',
    'real',
    'to_bytes',
  ],
  float: ['as_integer_ratio', 'conjugate', 'fromhex', 'hex', 'imag', 'is_integer', 'real'],
  dict_keys: ['isdisjoint', 'mapping'],
  dict_values: ['mapping'],
  dict_items: ['isdisjoint', 'mapping'],
  generator: ['close', 'send', 'throw', 'gi_code', 'gi_frame', 'gi_running', 'gi_yieldfrom'],
};
const CHANGING: Readonly<Record<string, readonly string[]>> = {
  list: ['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'],
  dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
};

/** `value.name` as Jinja2's sandbox looks it up: an attribute of the object, otherwise an item. */
export function getAttribute(value: Value, name: string, context: Context): Value {
  const key = str(name);
  return orElse(attribute(value, name, context), () =>
    orElse(item(value, key, context), () => missing(value, key)),
  );
}

/** `value[key]`: an item of the object, otherwise an attribute. */
export function getItem(value: Value, key: Value, context: Context): Value {
  return orElse(item(value, key, context), () => {
    const own = key instanceof Str ? attribute(value, key.text, context) : undefined;
    return orElse(own, () => missing(value, key));
  });
}

function missing(value: Value, key: Value): Undefined {
  const owner = value === null ? 'None' : `${typeName(value)} object`;
  const name = key instanceof Str ? `attribute '${key.text.slice(0, 100)}'` : 'such element';
  return new Undefined(`'${owner}' has no ${name}`);
}

function item(value: Value, key: Value, { meter }: Context): Value | undefined {
  meter.spend(1);
  if (value instanceof Undefined) {
    return value.fail();
  }
  if (value instanceof Dict) {
    return hashOf(key) === undefined ? undefined : value.get(key);
  }
  if (!isNumber(key) || typeof key === 'number') {
    return undefined;
  }
  const at = asCount(key, 'index');
  const place = (length: number): number => (at < 0 ? at + length : at);
  if (Array.isArray(value)) {
    return value[place(value.length)];
  }
  if (value instanceof Tuple) {
    return value.items[place(value.items.length)];
  }
  if (value instanceof Range) {
    const index = place(value.length);
    return index >= 0 && index < value.length ? value.at(index) : undefined;
  }
  if (!(value instanceof Str)) {
    return undefined;
  }
  meter.read(value.length);
  const length = pointsIn(value.text);
  const index = place(length);
  if (index < 0 || index >= length) {
    return undefined;
  }
  const begin = value.unitOf(index);
  return value.slice(begin, begin + (value.text.codePointAt(begin)! > 0xffff ? 2 : 1));
}

function attribute(value: Value, name: string, context: Context): Value | undefined {
  if (value instanceof Undefined) {
    return value.fail();
  }
  const type = typeName(value === true || value === false ? numeric(value) : value);
  // Every Python object has these, and the sandbox allows none of them.
  if (name.startsWith('__')) {
    return forbidden(value, name);
  }
  if (CHANGING[type]?.includes(name)) {
    return forbidden(value, name);
  }
  if (UNKNOWN[type]?.includes(name)) {
    throw unsupported(`.${name} of ${type}`);
  }
  if (value instanceof Str) {
    if (STR_UNKNOWN.includes(name)) {
      throw unsupported(`.${name} of str`);
    }
    const method = own(STR_METHODS, name);
    return method && bound(name, (args) => afterSafe(value, method(value, args, context)));
  }
  if (value instanceof Dict) {
    return method(own(DICT_METHODS, name), name, value, context);
  }
  if (Array.isArray(value)) {
    return method(own(LIST_METHODS, name), name, value, context);
  }
  if (value instanceof Tuple) {
    const at = value.names.indexOf(name);
    if (at >= 0) {
      return value.items[at];
    }
    return name === 'copy' ? undefined : method(own(LIST_METHODS, name), name, [...value.items], context);
  }
  if (value instanceof Namespace) {
    return value.attributes.get(name);
  }
  if (value instanceof Loop) {
    return loopAttribute(value, name, context);
  }
  if (value instanceof Callable) {
    return value.attributes.get(name);
  }
  if (value instanceof Range || value instanceof DictView) {
    if (['start', 'stop', 'step', 'count', 'index'].includes(name)) {
      throw unsupported(`.${name} of ${type}`);
    }
  }
  return undefined;
}

/** An own entry of a table; names such as `constructor` are not. */
export const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

const forbidden = (value: Value, name: string): Undefined =>
  new Undefined(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`);

const bound = (name: string, call: (args: CallArguments) => Value): Callable => new Callable(name, call);

function method<T>(
  of: ((value: T, args: CallArguments, context: Context) => Value) | undefined,
  name: string,
  value: T,
  context: Context,
): Callable | undefined {
  return of && bound(name, (args) => of(value, args, context));
}

/** Methods of a safe text return a safe text, after escaping their arguments: not supported, except slicing. */
function afterSafe(text: Str, result: Value): Value {
  if (!text.safe || typeof result === 'boolean' || typeof result === 'bigint') {
    return result;
  }
  if (result instanceof Str && text.text.includes(result.text)) {
    return result.markedSafe;
  }
  throw unsupported('methods of a text that is marked safe');
}

type Method<T> = (value: T, args: CallArguments, context: Context) => Value;

const DICT_METHODS: Readonly<Record<string, Method<Dict>>> = {
  copy: (dict, args) => (bindPlaces('copy()', args, 0, 0), new Dict(dict.entries())),
  fromkeys: () => {
    throw unsupported('dict.fromkeys');
  },
  get(dict, args) {
    const [key, other] = bindPlaces('get()', args, 1, 2);
    if (Array.isArray(key) || key instanceof Dict) {
      throw raised(`unhashable type: '${typeName(key)}'`);
    }
    return orElse(dict.get(key!), () => other ?? null);
  },
  items: (dict, args) => (bindPlaces('items()', args, 0, 0), new DictView(dict, 'items')),
  keys: (dict, args) => (bindPlaces('keys()', args, 0, 0), new DictView(dict, 'keys')),
  values: (dict, args) => (bindPlaces('values()', args, 0, 0), new DictView(dict, 'values')),
};

const LIST_METHODS: Readonly<Record<string, Method<Value[]>>> = {
  copy: (list, args) => (bindPlaces('copy()', args, 0, 0), [...list]),
  count(list, args, { meter }) {
    const [sought] = bindPlaces('count()', args, 1, 1);
    return BigInt(list.filter((one) => equal(one, sought!, meter)).length);
  },
  index(list, args, { meter }) {
    const [sought] = bindPlaces('index()', args, 1, 1);
    const at = list.findIndex((one) => equal(one, sought!, meter));
    if (at < 0) {
      throw raised('the value is not in list');
    }
    return BigInt(at);
  },
};

function loopAttribute(loop: Loop, name: string, { meter }: Context): Value | undefined {
  const whole = (n: number): bigint => BigInt(n);
  switch (name) {
    case 'index':
      return whole(loop.index0 + 1);
    case 'index0':
      return whole(loop.index0);
    case 'revindex':
      return whole(loop.length - loop.index0);
    case 'revindex0':
      return whole(loop.length - loop.index0 - 1);
    case 'first':
      return loop.index0 === 0;
    case 'last':
      return loop.last;
    case 'length':
      return whole(loop.length);
    case 'depth':
      return whole(loop.depth0 + 1);
    case 'depth0':
      return whole(loop.depth0);
    case 'previtem':
      return loop.previous;
    case 'nextitem':
      return loop.following;
    case 'cycle':
      return bound('cycle', ({ positional }) => {
        if (positional.length === 0) {
          throw raised('no items for cycling given');
        }
        return positional[loop.index0 % positional.length]!;
      });
    case 'changed':
      return bound('changed', ({ positional }) => {
        const { lastChanged } = loop;
        loop.lastChanged = positional;
        return lastChanged === undefined || !equal([...lastChanged], positional, meter);
      });
    default:
      return undefined;
  }
}
