import { byCodePoint } from '../../formats/utf8.ts';
import type { BinaryOperator, ComparisonOperator } from './ast.ts';
import { raised, unsupported } from './faults.ts';
import type { Meter } from './meter.ts';
import { arithmetic, integer, isInteger, isNumber, numeric } from './numbers.ts';
import { Str } from './str.ts';
import { Dict, DictView, iterateOrFail, Range, Tuple, typeName, Undefined, type Value } from './values.ts';

/** Python's ==. */
export function equal(a: Value, b: Value, meter: Meter): boolean {
  meter.spend(1);
  if (isNumber(a) && isNumber(b)) {
    // eslint-disable-next-line eqeqeq -- an int and a float
    return numeric(a) == numeric(b);
  }
  if (a instanceof Str && b instanceof Str) {
    meter.read(Math.min(a.length, b.length));
    return a.text === b.text;
  }
  const [left, right] = [itemsOf(a), itemsOf(b)];
  if (left && right) {
    if (Array.isArray(a) !== Array.isArray(b) || left.length !== right.length) {
      return false;
    }
    return meter.nest(() => left.every((item, i) => equal(item, right[i]!, meter)));
  }
  if (a instanceof Dict && b instanceof Dict) {
    if (a.size !== b.size) {
      return false;
    }
    return meter.nest(() => {
      for (const [key, value] of a.entries()) {
        const other = b.get(key);
        if (other === undefined || !equal(value, other, meter)) {
          return false;
        }
      }
      return true;
    });
  }
  if (a instanceof Undefined) {
    return b instanceof Undefined;
  }
  if (a instanceof Range && b instanceof Range) {
    return equal([...a], [...b], meter);
  }
  if (a instanceof DictView && b instanceof DictView) {
    throw unsupported(`the comparison of ${typeName(a)}`);
  }
  return a === b;
}

/** Python's < for orderable values. */
export function less(a: Value, b: Value, meter: Meter, operator = '<'): boolean {
  meter.spend(1);
  if (isNumber(a) && isNumber(b)) {
    return numeric(a) < numeric(b);
  }
  if (a instanceof Str && b instanceof Str) {
    meter.read(Math.min(a.length, b.length));
    return byCodePoint(a.text, b.text) < 0;
  }
  const [left, right] = [itemsOf(a), itemsOf(b)];
  if (left && right && Array.isArray(a) === Array.isArray(b)) {
    return meter.nest(() => {
      for (let i = 0; i < Math.min(left.length, right.length); i++) {
        if (!equal(left[i]!, right[i]!, meter)) {
          return less(left[i]!, right[i]!, meter, operator);
        }
      }
      return left.length < right.length;
    });
  }
  for (const side of [a, b]) {
    if (side instanceof Undefined) {
      side.fail();
    }
  }
  throw raised(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** Python's sorted. */
export function sorted<T>(items: readonly T[], key: (item: T) => Value, reverse: boolean, meter: Meter): T[] {
  meter.list(items.length);
  const keyed = items.map((item) => ({ item, key: key(item) }));
  // Equal items keep their order even if reversed.
  const sign = reverse ? -1 : 1;
  keyed.sort((a, b) => {
    if (less(a.key, b.key, meter)) {
      return -sign;
    }
    return less(b.key, a.key, meter) ? sign : 0;
  });
  return keyed.map(({ item }) => item);
}

export function compare(operator: ComparisonOperator, a: Value, b: Value, meter: Meter): boolean {
  switch (operator) {
    case '==':
      return equal(a, b, meter);
    case '!=':
      return !equal(a, b, meter);
    case '<':
      return less(a, b, meter);
    case '>':
      return less(b, a, meter, '>');
    case '<=':
    case '>=':
      // NaN is neither less than, greater than nor equal to anything.
      if (Number.isNaN(a) || Number.isNaN(b)) {
        return false;
      }
      return operator === '<=' ? !less(b, a, meter, '<=') : !less(a, b, meter, '>=');
    case 'in':
      return contains(b, a, meter);
    case 'not in':
      return !contains(b, a, meter);
  }
}

/** Python's `item in container`. */
export function contains(container: Value, item: Value, meter: Meter): boolean {
  if (container instanceof Str) {
    if (!(item instanceof Str)) {
      throw raised(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    }
    meter.search(container.length, item.length);
    return container.text.includes(item.text);
  }
  if (container instanceof Dict || (container instanceof DictView && container.part === 'keys')) {
    const dict = container instanceof Dict ? container : container.of;
    if (Array.isArray(item) || item instanceof Dict) {
      throw raised(`unhashable type: '${typeName(item)}'`);
    }
    return dict.get(item) !== undefined;
  }
  for (const other of iterateOrFail(container)) {
    if (other === item || equal(other, item, meter)) {
      return true;
    }
  }
  return false;
}

/** Python's binary operators, except % on a text (see percent-format.ts). */
export function binary(operator: BinaryOperator, a: Value, b: Value, meter: Meter): Value {
  meter.spend(1);
  for (const side of [a, b]) {
    if (side instanceof Undefined) {
      side.fail();
    }
  }
  if (operator === '+') {
    if (a instanceof Str && b instanceof Str) {
      meter.write(a.length + b.length);
      return a.safe || b.safe ? escaped(a).plus(escaped(b)).markedSafe : a.plus(b);
    }
    if (Array.isArray(a) && Array.isArray(b)) {
      meter.list(a.length + b.length);
      return [...a, ...b];
    }
    if (a instanceof Tuple && b instanceof Tuple) {
      meter.list(a.items.length + b.items.length);
      return new Tuple([...a.items, ...b.items]);
    }
  }
  if (operator === '*') {
    const [sequence, count] = isInteger(b) ? [a, b] : [b, a];
    if (isInteger(count) && !isNumber(sequence)) {
      const times = integer(count) > 0n ? Number(integer(count)) : 0;
      if (sequence instanceof Str) {
        meter.write(sequence.length * times);
        return sequence.times(times);
      }
      const items = itemsOf(sequence);
      if (items) {
        meter.list(items.length * times);
        const repeated = Array.from({ length: times }, () => items).flat();
        return sequence instanceof Tuple ? new Tuple(repeated) : repeated;
      }
    }
  }
  if (isNumber(a) && isNumber(b)) {
    return arithmetic(operator, numeric(a), numeric(b));
  }
  throw raised(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

function itemsOf(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) {
    return value;
  }
  return value instanceof Tuple ? value.items : undefined;
}

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '>': '&gt;',
  '<': '&lt;',
  "'": '&#39;',
  '"': '&#34;',
};

/** The text with HTML characters escaped, unless it is marked safe. */
export function escaped(text: Str): Str {
  return text.safe ? text.plain : text.replaceEach(/[&<>'"]/g, (character) => HTML[character]!);
}
