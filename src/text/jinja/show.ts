// References: CPython, Objects/unicodeobject.c (unicode_repr) and Lib/json/encoder.py.
import { pythonFloat } from '../../formats/python-json.ts';
import { raised, unsupported } from './faults.ts';
import { MAX_DIGITS } from './lexer.ts';
import type { Meter } from './meter.ts';
import { isNumber } from './numbers.ts';
import { sorted } from './operators.ts';
import { EMPTY, Str } from './str.ts';
import {
  Callable,
  Dict,
  DictView,
  Loop,
  Namespace,
  OneShot,
  Range,
  str,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** Python's str(value), which is also how values are printed. */
export function toStr(value: Value, meter: Meter): Str {
  if (value instanceof Str) {
    return value.plain;
  }
  if (value instanceof Undefined) {
    return EMPTY;
  }
  return repr(value, meter);
}

/** Python's repr(value). */
export function repr(value: Value, meter: Meter): Str {
  meter.spend(1);
  if (value === null) {
    return str('None');
  }
  if (typeof value === 'boolean') {
    return str(value ? 'True' : 'False');
  }
  if (typeof value === 'bigint') {
    return str(integerText(value));
  }
  if (typeof value === 'number') {
    return str(floatText(value));
  }
  if (value instanceof Str) {
    const quoted = quotedStr(value, meter);
    return value.safe ? wrap('Markup(', quoted, ')') : quoted;
  }
  const items = (list: Iterable<Value>): Str =>
    joined(
      [...list].map((item) => repr(item, meter)),
      meter,
    );
  return meter.nest(() => {
    if (Array.isArray(value)) {
      return wrap('[', items(value), ']');
    }
    if (value instanceof Tuple) {
      return wrap('(', items(value.items), value.items.length === 1 ? ',)' : ')');
    }
    if (value instanceof Dict) {
      return dictRepr(value.entries(), meter);
    }
    if (value instanceof DictView) {
      return wrap(`dict_${value.part}([`, items(value), '])');
    }
    if (value instanceof Range) {
      return str(rangeText(value));
    }
    if (value instanceof Namespace) {
      const attributes = [...value.attributes].map(([name, of]): [Value, Value] => [str(name), of]);
      return wrap('<Namespace ', dictRepr(attributes, meter), '>');
    }
    if (value instanceof Loop) {
      return str(`<LoopContext ${value.index0 + 1}/${value.length}>`);
    }
    if (value instanceof Undefined) {
      return str('Undefined');
    }
    if (value instanceof Callable && value.shown !== undefined) {
      return str(value.shown);
    }
    throw unsupported(
      value instanceof OneShot
        ? 'a generator as text (a filter such as map or select without | list)'
        : `a ${typeName(value)} as text`,
    );
  });
}

function rangeText({ begin, end, step }: Range): string {
  return step === 1n ? `range(${begin}, ${end})` : `range(${begin}, ${end}, ${step})`;
}

function dictRepr(entries: Iterable<[Value, Value]>, meter: Meter): Str {
  const pairs = [...entries].map(([key, value]) =>
    Str.join([repr(key, meter), str(': '), repr(value, meter)]),
  );
  return wrap('{', joined(pairs, meter), '}');
}

const wrap = (begin: string, inner: Str, end: string): Str => Str.join([str(begin), inner, str(end)]);

const COMMA = str(', ');

function joined(parts: readonly Str[], meter: Meter, separator = COMMA): Str {
  meter.write(parts.reduce((sum, part) => sum + part.length + separator.length, 0));
  return Str.join(parts, separator);
}

export function integerText(value: bigint): string {
  const text = value.toString();
  if (text.length > MAX_DIGITS + 1) {
    throw raised(`Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion`);
  }
  return text;
}

function floatText(value: number): string {
  if (Number.isNaN(value)) {
    return 'nan';
  }
  return Number.isFinite(value) ? pythonFloat(value) : value > 0 ? 'inf' : '-inf';
}

/** Characters that Python's repr escapes: those that are not printable, and spaces other than " ". */
const NOT_PRINTABLE = /(?! )[\p{C}\p{Z}\\]/gu;

function quotedStr(value: Str, meter: Meter): Str {
  meter.write(value.length);
  const quote = value.text.includes("'") && !value.text.includes('"') ? '"' : "'";
  const inner = value.replaceEach(NOT_PRINTABLE, reprEscape);
  const safe = quote === "'" ? inner.replaceEach(/'/g, () => "\\'") : inner;
  return wrap(quote, safe, quote);
}

const SHORT: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function reprEscape(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) {
    return short;
  }
  const hex = character.codePointAt(0)!.toString(16);
  if (hex.length <= 2) {
    return `\\x${hex.padStart(2, '0')}`;
  }
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

interface ToJsonOptions {
  ensureAscii: boolean;
  /** The indentation per level; undefined for one line. */
  indent: string | undefined;
  separators: readonly [item: Str, key: Str];
  sortKeys: boolean;
}

/** Python's json.dumps. */
export function toJson(value: Value, options: ToJsonOptions, meter: Meter, newline = '\n'): Str {
  meter.spend(1);
  if (value === null) {
    return str('null');
  }
  if (typeof value === 'boolean') {
    return str(String(value));
  }
  if (typeof value === 'bigint') {
    return str(integerText(value));
  }
  if (typeof value === 'number') {
    return str(jsonFloat(value));
  }
  if (value instanceof Str) {
    return jsonStr(value, options.ensureAscii, meter);
  }
  const inner = newline + (options.indent ?? '');
  const write = (item: Value): Str => toJson(item, options, meter, inner);
  const list = (begin: string, parts: Str[], end: string): Str => {
    if (parts.length === 0) {
      return str(begin + end);
    }
    if (options.indent === undefined) {
      return wrap(begin, joined(parts, meter, options.separators[0]), end);
    }
    const between = options.separators[0].plus(str(inner));
    return wrap(begin + inner, joined(parts, meter, between), newline + end);
  };
  return meter.nest(() => {
    if (Array.isArray(value)) {
      return list('[', value.map(write), ']');
    }
    if (value instanceof Tuple) {
      return list('[', value.items.map(write), ']');
    }
    if (value instanceof Undefined) {
      value.fail();
    }
    if (!(value instanceof Dict)) {
      throw raised(`Object of type ${typeName(value)} is not JSON serializable`);
    }
    let entries = [...value.entries()];
    if (options.sortKeys) {
      entries = sorted(entries, ([key]) => key, false, meter);
    }
    const pairs = entries.map(([key, item]) =>
      Str.join([jsonKey(key, options, meter), options.separators[1], write(item)]),
    );
    return list('{', pairs, '}');
  });
}

function jsonKey(key: Value, options: ToJsonOptions, meter: Meter): Str {
  if (key instanceof Str) {
    return jsonStr(key, options.ensureAscii, meter);
  }
  if (key !== null && !isNumber(key)) {
    throw raised('keys must be str, int, float, bool or None');
  }
  return wrap('"', toJson(key, options, meter), '"');
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) {
    return 'NaN';
  }
  return Number.isFinite(value) ? pythonFloat(value) : value > 0 ? 'Infinity' : '-Infinity';
}

// eslint-disable-next-line no-control-regex -- JSON escapes control characters
const JSON_ESCAPED = /["\\\x00-\x1f]/g;
const JSON_BEYOND_ASCII = /["\\]|[^ -~]/g;

function jsonStr(value: Str, ensureAscii: boolean, meter: Meter): Str {
  meter.write(value.length);
  const escape = (unit: string): string => {
    const own = JSON.stringify(unit).slice(1, -1);
    return own.length > 1 ? own : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  };
  return wrap('"', value.replaceEach(ensureAscii ? JSON_BEYOND_ASCII : JSON_ESCAPED, escape), '"');
}
