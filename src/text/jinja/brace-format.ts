// Reference: CPython, Objects/stringlib/unicode_format.h and Python/formatter_unicode.c.
import { raised, unsupported } from './faults.ts';
import type { Meter } from './meter.ts';
import { floatDigits, isNegative, signOf } from './number-format.ts';
import { integer, isNumber, toFloat } from './numbers.ts';
import { integerText, repr, toStr } from './show.ts';
import { Str } from './str.ts';
import { type CallArguments, fail, orElse, str, typeName, Undefined, type Value } from './values.ts';

/** Looks up an attribute or an item, as templates do. */
export type Lookup = (of: Value, key: Value, isAttribute: boolean) => Value;

/** Python's `format.format(…)`. */
export function braceFormat(format: Str, args: CallArguments, lookup: Lookup, meter: Meter): Str {
  if (format.safe) {
    throw unsupported('format on a text that is marked safe');
  }
  const { text } = format;
  const parts: Str[] = [];
  let automatic = 0;
  let numbering: 'automatic' | 'manual' | undefined;
  const valueOf = (field: string): Value => {
    const first = /^[^.[]*/.exec(field)![0];
    let value: Value | undefined;
    if (field === '' || /^\d+$/.test(first)) {
      const now = field === '' ? 'automatic' : 'manual';
      numbering ??= now;
      if (numbering !== now) {
        fail('cannot switch between manual and automatic field numbering');
      }
      value = args.positional[field === '' ? automatic++ : Number(first)];
      if (value === undefined) {
        fail('Replacement index out of range for positional args tuple');
      }
    } else {
      value = orElse(args.named.get(first), () => fail(`KeyError: '${first}'`));
    }
    for (const [part, attribute, item] of field
      .slice(first.length)
      .matchAll(/\.([^.[]*)|\[([^\]]*)\]|[^]/g)) {
      if (attribute === undefined && item === undefined) {
        fail(`unexpected ${part} in a format`);
      }
      const key = attribute ?? item!;
      value = lookup(
        value!,
        /^\d+$/.test(key) && item !== undefined ? BigInt(key) : str(key),
        attribute !== undefined,
      );
    }
    return value!;
  };
  const brace = /[{}]/g;
  for (let at = 0; at < text.length;) {
    brace.lastIndex = at;
    const open = brace.exec(text)?.index ?? text.length;
    parts.push(format.slice(at, open));
    if (open === text.length) {
      break;
    }
    if (text[open] === text[open + 1]) {
      parts.push(format.slice(open, open + 1));
      at = open + 2;
      continue;
    }
    if (text[open] === '}') {
      fail("Single '}' encountered in format string");
    }
    const close = text.indexOf('}', open);
    if (close < 0) {
      fail("expected '}' before end of string");
    }
    const field = /^([^!:{]*)(?:!([^:{]*))?(?::([^{]*))?$/s.exec(text.slice(open + 1, close));
    if (!field) {
      throw unsupported('a field within a field of a format');
    }
    const [, name, conversion, spec = ''] = field;
    parts.push(oneField(valueOf(name!), conversion, spec, meter));
    at = close + 1;
  }
  meter.write(parts.reduce((sum, part) => sum + part.length, 0));
  return Str.join(parts);
}

function oneField(value: Value, conversion: string | undefined, spec: string, meter: Meter): Str {
  if (conversion !== undefined && !'rs'.includes(conversion)) {
    throw unsupported(`!${conversion} in a format`);
  }
  const shown = conversion === 'r' ? repr(value, meter) : conversion === 's' ? toStr(value, meter) : value;
  return formatValue(shown, spec, meter);
}

const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/su;

/** Python's format(value, spec). */
function formatValue(value: Value, spec: string, meter: Meter): Str {
  if (spec === '') {
    return toStr(value, meter);
  }
  const found = SPEC.exec(spec);
  if (!found) {
    throw unsupported(`the format ${spec.slice(0, 40)}`);
  }
  const [, fill, align, sign = '', alternate, zero, width, grouping, precision, type] = found;
  if (alternate) {
    throw unsupported('# in a format');
  }
  let text: Str;
  let prefix = '';
  const number = isNumber(value) && typeof value !== 'boolean';
  if (number) {
    const { body, isBelow } = numberBody(value, type, precision, grouping);
    text = str(body);
    prefix = signOf(isBelow, sign);
  } else {
    if (value instanceof Undefined || !(value instanceof Str)) {
      throw raised(`unsupported format string passed to ${typeName(value)}.__format__`);
    }
    if (sign || grouping || (type !== undefined && type !== 's') || align === '=') {
      throw raised(`the format ${spec.slice(0, 40)} is not for texts`);
    }
    text = precision === undefined ? value.plain : value.plain.slice(0, value.unitOf(Number(precision)));
  }
  if (zero && grouping) {
    throw unsupported('zeros and separators in a format');
  }
  const missing = Number(width ?? 0) - text.lengthInPoints - prefix.length;
  if (missing <= 0) {
    return Str.join([str(prefix), text]);
  }
  meter.write(Number(width));
  const filler = fill ?? (zero ? '0' : ' ');
  const where = align ?? (number ? (zero ? '=' : '>') : '<');
  const before = where === '<' ? 0 : where === '^' ? Math.floor(missing / 2) : missing;
  const pad = (count: number): Str => str(filler.repeat(count));
  const inner = where === '=' ? [str(prefix), pad(before), text] : [pad(before), str(prefix), text];
  return Str.join([...inner, pad(missing - before)]);
}

function numberBody(
  value: bigint | number,
  type: string | undefined,
  precision: string | undefined,
  grouping: string | undefined,
): { body: string; isBelow: boolean } {
  const isFloat = type !== undefined && 'eEfFgG%'.includes(type);
  if (typeof value === 'bigint' && !isFloat) {
    if (precision !== undefined) {
      fail('Precision not allowed in integer format specifier');
    }
    const whole = integer(value);
    const magnitude = whole < 0n ? -whole : whole;
    const radix = { d: 10, x: 16, X: 16, o: 8, b: 2 }[type ?? 'd'];
    if (radix === undefined) {
      throw unsupported(`the format ${type} of an int`);
    }
    const digits = radix === 10 ? integerText(magnitude) : magnitude.toString(radix);
    const body = grouping ? grouped(digits, grouping, radix === 10 ? 3 : 4) : digits;
    return { body: type === 'X' ? body.toUpperCase() : body, isBelow: whole < 0n };
  }
  if (!isFloat) {
    throw unsupported(`the format ${type ?? 'without a type'} of a float`);
  }
  const float = toFloat(value);
  const body =
    type === '%'
      ? `${floatDigits(float * 100, 'f', Number(precision ?? 6))}%`
      : floatDigits(float, type!, Number(precision ?? 6));
  const [whole, rest] = [/^\d*/.exec(body)![0], body.replace(/^\d*/, '')];
  return { body: grouping ? grouped(whole, grouping, 3) + rest : body, isBelow: isNegative(float) };
}

const grouped = (digits: string, separator: string, size: number): string =>
  digits.replace(new RegExp(`\\B(?=(?:.{${size}})+$)`, 'g'), separator);
