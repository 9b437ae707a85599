// Reference: Jinja2, src/jinja2/filters.py.
import { asCount, asStr, bind } from './arguments.ts';
import { getAttribute, own } from './attributes.ts';
import { raised, unsupported } from './faults.ts';
import { type Filter, type FilterContext, needs } from './filter-support.ts';
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
import { truncated } from './percent-format.ts';
import { SEQUENCE_FILTERS } from './sequence-filters.ts';
import { EMPTY, Str } from './str.ts';
import { STRING_FILTERS } from './string-filters.ts';
import { type CallArguments, Dict, fail, orElse, truth, Undefined, type Value } from './values.ts';

/** Jinja2's filters, with tojson as in transformers; those of `UNKNOWN_FILTERS` are refused by name. */
const FILTERS: Readonly<Record<string, Filter>> = {
  ...SEQUENCE_FILTERS,
  ...STRING_FILTERS,
  abs(value) {
    if (!isNumber(value)) {
      return needs('abs()', 'a number', value);
    }
    const number = numeric(value);
    if (typeof number === 'number') {
      return Math.abs(number);
    }
    return number < 0n ? -number : number;
  },
  attr(value, args, context) {
    const [name] = bind('attr', args, ['name'], 1);
    // Unlike value.name, this does not look for an item of that name.
    if (
      value instanceof Dict &&
      !['get', 'items', 'keys', 'values', 'copy'].includes(asStr(name, 'name').text)
    ) {
      return new Undefined(`'dict object' has no attribute '${asStr(name, 'name').text.slice(0, 100)}'`);
    }
    return getAttribute(value, asStr(name, 'name').text, context);
  },
  default(value, args) {
    const [other, boolean] = bind('default', args, ['default_value', 'boolean']);
    const isMissing = value instanceof Undefined || (truth(boolean ?? false) && !truth(value));
    return isMissing ? orElse(other, () => EMPTY) : value;
  },
  float(value, args) {
    const [other] = bind('float', args, ['default']);
    if (value instanceof Undefined) {
      value.fail();
    }
    if (isNumber(value)) {
      return toFloat(numeric(value));
    }
    const float = value instanceof Str ? parseFloat(value.text) : undefined;
    return float ?? orElse(other, () => 0);
  },
  int(value, args) {
    const [other, base] = bind('int', args, ['default', 'base']);
    if (value instanceof Undefined) {
      value.fail();
    }
    const instead = orElse(other, () => 0n);
    if (value instanceof Str) {
      const whole = parseInteger(value.text, base === undefined ? 10 : asCount(base, 'base'));
      if (whole !== undefined) {
        return whole;
      }
      const float = parseFloat(value.text);
      return float === undefined || !Number.isFinite(float) ? instead : truncated(float);
    }
    if (!isNumber(value)) {
      return instead;
    }
    if (isInteger(value)) {
      return integer(value);
    }
    if (value === Infinity || value === -Infinity) {
      fail('cannot convert float infinity to integer');
    }
    return Number.isNaN(value) ? instead : truncated(value);
  },
  round(value, args) {
    const [precision, method] = bind('round', args, ['precision', 'method']);
    const digits = precision === undefined ? 0 : asCount(precision, 'precision');
    const how = method === undefined ? 'common' : asStr(method, 'method').text;
    if (!['common', 'ceil', 'floor'].includes(how)) {
      fail('method must be common, ceil or floor');
    }
    if (!isNumber(value)) {
      return needs('round', 'a number', value);
    }
    const number = numeric(value);
    if (how === 'common') {
      return typeof number === 'bigint' ? roundInteger(number, BigInt(digits)) : roundFloat(number, digits);
    }
    if (Math.abs(digits) > 300) {
      throw unsupported('so many digits of round');
    }
    const scale = 10 ** digits;
    return Math[how as 'ceil' | 'floor'](toFloat(number) * scale) / scale;
  },
};

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

/** Applies a filter. Throws TemplateFault if it is unknown or unsupported, or fails. */
export function callFilter(name: string, value: Value, args: CallArguments, context: FilterContext): Value {
  const known = own(ALIASES, name) ?? name;
  const filter = own(FILTERS, known);
  if (!filter) {
    if (UNKNOWN_FILTERS.includes(name)) {
      throw unsupported(`the filter ${name}`);
    }
    throw raised(`No filter named '${name.slice(0, 100)}'`);
  }
  if (value instanceof Str) {
    context.meter.read(value.length);
    if (value.safe && !NOT_MINDING_SAFE.includes(known)) {
      throw unsupported(`the filter ${name} on a text that is marked safe`);
    }
  }
  if (PLAIN.includes(known)) {
    bind(name, args, []);
  }
  return filter(value, args, context);
}

/** Whether Jinja2 has a filter of this name. */
export const isFilter = (name: string): boolean =>
  own(ALIASES, name) !== undefined || own(FILTERS, name) !== undefined || UNKNOWN_FILTERS.includes(name);
