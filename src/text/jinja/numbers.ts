// Reference: CPython, Objects/longobject.c and Objects/floatobject.c.
import type { BinaryOperator } from './ast.ts';
import { raised, unsupported } from './faults.ts';
import { MAX_DIGITS } from './lexer.ts';
import { isSpace } from './str.ts';
import { fail, toInteger, typeName, Undefined, type Value } from './values.ts';

/** No number in a chat has more bits. */
const MAX_BITS = 100_000;

export function negative(value: Value): Value {
  if (isNumber(value)) {
    return -numeric(value);
  }
  if (value instanceof Undefined) {
    value.fail();
  }
  throw raised(`bad operand type for unary -: '${typeName(value)}'`);
}

export function positive(value: Value): Value {
  if (isNumber(value)) {
    return numeric(value);
  }
  if (value instanceof Undefined) {
    value.fail();
  }
  throw raised(`bad operand type for unary +: '${typeName(value)}'`);
}

export function arithmetic(operator: BinaryOperator, a: bigint | number, b: bigint | number): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    if (operator === '/') {
      return divide(a, b);
    }
    if (operator !== '**' || b >= 0n) {
      return integerArithmetic(operator, a, b);
    }
  }
  return floatArithmetic(operator, toFloat(a), toFloat(b));
}

function integerArithmetic(operator: BinaryOperator, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return bounded(bitsOf(a) + bitsOf(b)) && a * b;
    case '**':
      return bounded(bitsOf(a) * Number(b)) && a ** b;
  }
  if (b === 0n) {
    fail('integer division or modulo by zero');
  }
  const rest = a % b;
  const isOff = rest !== 0n && rest < 0n !== b < 0n;
  if (operator === '%') {
    return isOff ? rest + b : rest;
  }
  return isOff ? a / b - 1n : a / b;
}

function floatArithmetic(operator: BinaryOperator, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '**':
      // V8's result differs from the C library's in the last bit.
      throw unsupported('a power of floats, or to less than 0');
  }
  if (b === 0) {
    fail(operator === '/' ? 'float division by zero' : 'float floor division by zero');
  }
  if (operator === '/') {
    return a / b;
  }
  let rest = a % b;
  if (rest !== 0 && rest < 0 !== b < 0) {
    rest += b;
  }
  if (rest === 0) {
    rest = b < 0 ? -0 : 0;
  }
  if (operator === '%') {
    return rest;
  }
  const quotient = (a - rest) / b;
  if (quotient === 0) {
    return a < 0 === b < 0 && a !== 0 ? 0 : (a / b) * 0;
  }
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

/** int / int, correctly rounded. */
function divide(a: bigint, b: bigint): number {
  if (b === 0n) {
    fail('division by zero');
  }
  const isExact = (x: bigint): boolean => x >= -(2n ** 53n) && x <= 2n ** 53n;
  if (!isExact(a) || !isExact(b)) {
    throw unsupported('the division of ints beyond 2^53');
  }
  return Number(a) / Number(b);
}

const bitsOf = (x: bigint): number => x.toString(16).length * 4;

function bounded(bits: number): true {
  if (bits > MAX_BITS) {
    throw unsupported(`ints of more than ${MAX_BITS.toLocaleString('en-US')} bits`);
  }
  return true;
}

export function toFloat(x: bigint | number): number {
  const float = Number(x);
  if (typeof x === 'bigint' && !Number.isFinite(float)) {
    fail('int too large to convert to float');
  }
  return float;
}

type Numeric = bigint | number | boolean;

export const isNumber = (value: Value): value is Numeric =>
  typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean';
export const isInteger = (value: Value): value is bigint | boolean =>
  typeof value === 'bigint' || typeof value === 'boolean';

/** A bool counts as the int 0 or 1. */
export const numeric = (value: Numeric): bigint | number =>
  typeof value === 'boolean' ? integer(value) : value;
export const integer = (value: bigint | boolean): bigint =>
  typeof value === 'bigint' ? value : value ? 1n : 0n;

/**
 * x · 10^digits as an integer, rounded half to even, as Python rounds and formats floats. x is finite and not
 * negative.
 */
export function scaled(x: number, digits: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  const raw = bits.getBigUint64(0);
  const exponent = Number(raw >> 52n);
  const mantissa = (raw & (2n ** 52n - 1n)) | (exponent === 0 ? 0n : 2n ** 52n);
  const shift = Math.max(exponent, 1) - 1075;
  let numerator = mantissa * 10n ** BigInt(Math.max(digits, 0));
  let denominator = 10n ** BigInt(Math.max(-digits, 0));
  if (shift > 0) {
    numerator <<= BigInt(shift);
  } else {
    denominator <<= BigInt(-shift);
  }
  const floor = numerator / denominator;
  const twice = 2n * (numerator - floor * denominator);
  const up = twice > denominator || (twice === denominator && floor % 2n === 1n);
  return up ? floor + 1n : floor;
}

/** Python's round of a float. */
export function roundFloat(x: number, digits: number): number {
  if (!Number.isFinite(x) || digits > 323) {
    return x;
  }
  if (digits < -308) {
    return x < 0 ? -0 : 0;
  }
  const rounded = Number(`${scaled(Math.abs(x), digits)}e${-digits}`);
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** Python's round of an int to tens, hundreds, …: half to even. */
export function roundInteger(x: bigint, digits: bigint): bigint {
  if (digits >= 0n) {
    return x;
  }
  if (digits < -BigInt(MAX_DIGITS)) {
    return 0n;
  }
  const unit = 10n ** -digits;
  const floor = x - (((x % unit) + unit) % unit);
  const twice = 2n * (x - floor);
  const up = twice > unit || (twice === unit && (floor / unit) % 2n !== 0n);
  return up ? floor + unit : floor;
}

/** Python's int(text, base); undefined if that raises ValueError. */
export function parseInteger(text: string, base: number): bigint | undefined {
  const found = /^([-+]?)(?:0([bBoOxX])_?)?([\da-zA-Z]+(?:_[\da-zA-Z]+)*)$/.exec(stripped(text));
  if (!found) {
    return undefined;
  }
  const bases: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16 };
  const prefix = found[2]?.toLowerCase();
  // 0b11 in base 16 has no prefix, only digits.
  const isPrefix = prefix !== undefined && (base === 0 || bases[prefix] === base);
  const radix = isPrefix ? bases[prefix]! : base || 10;
  const digits = (
    isPrefix ? found[3]! : `${prefix === undefined ? '' : `0${found[2]!}`}${found[3]!}`
  ).replaceAll('_', '');
  if (base === 0 && !isPrefix && /^0+[1-9]/.test(digits)) {
    return undefined;
  }
  const values = [...digits].map((digit) => parseInt(digit, 36));
  if (values.some((value) => value >= radix)) {
    return undefined;
  }
  const sign = found[1] === '-' ? -1n : 1n;
  if (radix === 10) {
    return sign * toInteger(digits);
  }
  if (digits.length > MAX_DIGITS) {
    throw unsupported('an int of so many digits');
  }
  return sign * values.reduce((sum, value) => sum * BigInt(radix) + BigInt(value), 0n);
}

/** Python's float(text); undefined if that raises ValueError. */
export function parseFloat(text: string): number | undefined {
  const plain = stripped(text).toLowerCase();
  if (/^[-+]?(?:inf|infinity)$/.test(plain)) {
    return plain.startsWith('-') ? -Infinity : Infinity;
  }
  if (/^[-+]?nan$/.test(plain)) {
    return NaN;
  }
  const digits = String.raw`\d+(?:_\d+)*`;
  const float = new RegExp(`^[-+]?(?:${digits}(?:\\.(?:${digits})?)?|\\.${digits})(?:e[-+]?${digits})?$`);
  return float.test(plain) ? Number(plain.replaceAll('_', '')) : undefined;
}

/** Without surrounding white space; digits of other scripts are refused, because Python reads them as digits. */
function stripped(text: string): string {
  let [begin, end] = [0, text.length];
  while (begin < end && isSpace(text[begin]!)) {
    begin++;
  }
  while (begin < end && isSpace(text[end - 1]!)) {
    end--;
  }
  const inner = text.slice(begin, end);
  if (inner.length < 1000 && /(?![0-9])\p{Nd}/u.test(inner)) {
    throw unsupported('digits of another script as a number');
  }
  return inner;
}
