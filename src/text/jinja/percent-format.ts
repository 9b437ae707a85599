// Reference: CPython, Objects/unicodeobject.c (PyUnicode_Format).
import { raised, unsupported } from './faults.ts';
import type { Meter } from './meter.ts';
import { floatDigits, isNegative, signOf } from './number-format.ts';
import { integer, isInteger, isNumber, numeric, toFloat } from './numbers.ts';
import { integerText, repr, toStr } from './show.ts';
import { Str } from './str.ts';
import { Dict, fail, orElse, Range, str, Tuple, typeName, Undefined, type Value } from './values.ts';

const SPEC = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?(.)?/gsu;

/** Python's `format % values`. */
export function percentFormat(format: Str, values: Value, meter: Meter): Str {
  if (format.safe) {
    throw unsupported('% on a text that is marked safe');
  }
  const positional = values instanceof Tuple ? values.items : [values];
  const parts: Str[] = [];
  let next = 0;
  let done = 0;
  for (const match of format.text.matchAll(SPEC)) {
    parts.push(format.slice(done, match.index));
    done = match.index + match[0].length;
    const [, key, flags = '', width = '', precision, type] = match;
    if (type === undefined) {
      fail('incomplete format');
    }
    if (type === '%') {
      parts.push(str('%'));
      continue;
    }
    if (width === '*' || precision === '*') {
      throw unsupported('* in a % format');
    }
    let value: Value;
    if (key !== undefined) {
      if (!(values instanceof Dict)) {
        throw raised('format requires a mapping');
      }
      value = orElse(values.get(str(key)), () => fail(`KeyError: '${key}'`));
    } else {
      if (next >= positional.length) {
        fail('not enough arguments for format string');
      }
      value = positional[next++]!;
    }
    const digits = match[0].includes('.') ? Number(precision ?? 0) : undefined;
    parts.push(padded(one(type!, value, flags, digits, meter), flags, Number(width || 0), meter));
  }
  // Anything that can be subscripted counts as a mapping here.
  const isMapping = [Dict, Array, Undefined, Range].some((type) => values instanceof type);
  if (next < positional.length && !isMapping) {
    fail('not all arguments converted during string formatting');
  }
  parts.push(format.slice(done));
  meter.write(parts.reduce((sum, part) => sum + part.length, 0));
  return Str.join(parts);
}

interface Formatted {
  sign: string;
  body: Str;
  isNumber: boolean;
}

function one(
  type: string,
  value: Value,
  flags: string,
  precision: number | undefined,
  meter: Meter,
): Formatted {
  if (flags.includes('#')) {
    throw unsupported('# in a % format');
  }
  const sign = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  if (type === 's' || type === 'r') {
    const text = type === 's' ? toStr(value, meter) : repr(value, meter);
    const body = precision === undefined ? text : text.slice(0, text.unitOf(precision));
    return { sign: '', body, isNumber: false };
  }
  if (value instanceof Undefined) {
    value.fail();
  }
  if ('diu'.includes(type) || 'xXo'.includes(type)) {
    if (!isNumber(value) || (!isInteger(value) && 'xXo'.includes(type))) {
      throw raised(`%${type} format: a number is required, not ${typeName(value)}`);
    }
    if (precision !== undefined) {
      throw unsupported('a precision of ints in a % format');
    }
    const whole = isInteger(value) ? integer(value) : truncated(value);
    const magnitude = whole < 0n ? -whole : whole;
    const radix = type === 'o' ? 8 : 16;
    const digits = 'diu'.includes(type) ? integerText(magnitude) : magnitude.toString(radix);
    const body = str(type === 'X' ? digits.toUpperCase() : digits);
    return { sign: signOf(whole < 0n, sign), body, isNumber: true };
  }
  if ('eEfFgG'.includes(type)) {
    if (!isNumber(value)) {
      throw raised(`must be real number, not ${typeName(value)}`);
    }
    const float = toFloat(numeric(value));
    const body = str(floatDigits(float, type, precision ?? 6));
    return { sign: signOf(isNegative(float), sign), body, isNumber: true };
  }
  throw 'ca'.includes(type)
    ? unsupported(`%${type} in a format`)
    : raised(`unsupported format character '${type}'`);
}

/** int(x) of a float. */
export function truncated(x: number): bigint {
  if (!Number.isFinite(x)) {
    fail(`cannot convert float ${Number.isNaN(x) ? 'NaN' : 'infinity'} to integer`);
  }
  return BigInt(Math.trunc(x));
}

function padded(
  { sign, body, isNumber: number }: Formatted,
  flags: string,
  width: number,
  meter: Meter,
): Str {
  const text = Str.join([str(sign), body]);
  const missing = width - text.lengthInPoints;
  if (missing <= 0) {
    return text;
  }
  meter.write(width);
  if (flags.includes('-')) {
    return text.plus(str(' '.repeat(missing)));
  }
  if (number && flags.includes('0')) {
    return Str.join([str(sign + '0'.repeat(missing)), body]);
  }
  return str(' '.repeat(missing)).plus(text);
}
