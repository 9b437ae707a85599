// Reference: CPython, Python/pystrtod.c (PyOS_double_to_string).
import { unsupported } from './faults.ts';
import { scaled } from './numbers.ts';

/** No number in a chat has more digits. */
const MAX_PRECISION = 1000;

/** A float as Python's formats f, e and g write it, without its sign. */
export function floatDigits(x: number, type: string, precision: number): string {
  if (precision > MAX_PRECISION) {
    throw unsupported(`a number with ${precision} digits`);
  }
  const magnitude = Math.abs(x);
  const isUpper = type !== type.toLowerCase();
  const text = Number.isFinite(x) ? digits(magnitude, type.toLowerCase(), precision) : notFinite(x);
  return isUpper ? text.toUpperCase() : text;
}

const notFinite = (x: number): string => (Number.isNaN(x) ? 'nan' : 'inf');

function digits(x: number, type: string, precision: number): string {
  switch (type) {
    case 'f':
      return point(scaled(x, precision).toString(), precision);
    case 'e': {
      const [mantissa, exponent] = scientific(x, precision);
      return `${point(mantissa, precision)}${exponentText(exponent)}`;
    }
    default: {
      const significant = Math.max(precision, 1);
      const [mantissa, exponent] = scientific(x, significant - 1);
      if (exponent >= -4 && exponent < significant) {
        const places = significant - 1 - exponent;
        return withoutZeros(point(scaled(x, places).toString(), places));
      }
      return `${withoutZeros(point(mantissa, significant - 1))}${exponentText(exponent)}`;
    }
  }
}

/** The digits d.ddd of d.ddd·10^exponent without the point, `precision` of them after it. */
function scientific(x: number, precision: number): [digits: string, exponent: number] {
  if (x === 0) {
    return ['0'.repeat(precision + 1), 0];
  }
  let exponent = Number(x.toExponential().split('e')[1]);
  let text = scaled(x, precision - exponent).toString();
  // 9.99 rounds up to 10.0.
  if (text.length > precision + 1) {
    text = scaled(x, precision - ++exponent).toString();
  }
  return [text, exponent];
}

/** Puts the decimal point before the last digits. */
function point(text: string, places: number): string {
  const padded = text.padStart(places + 1, '0');
  return places === 0 ? padded : `${padded.slice(0, -places)}.${padded.slice(-places)}`;
}

const withoutZeros = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

const exponentText = (exponent: number): string =>
  `e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;

/** The sign that Python writes before a number. */
export function signOf(isNegative: boolean, sign: string): string {
  if (isNegative) {
    return '-';
  }
  return sign === '+' || sign === ' ' ? sign : '';
}

export const isNegative = (x: number | bigint): boolean => x < 0 || Object.is(x, -0);
