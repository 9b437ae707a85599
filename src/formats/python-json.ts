// References: CPython, Lib/json/encoder.py and Python/pystrtod.c (repr of a float).
import { NumberText, PythonFloat } from './json.ts';
import { byCodePoint } from './utf8.ts';

/**
 * The text of Python's json.dumps(value, indent=2, sort_keys=True): ASCII only, floats as repr writes them. Whole
 * numbers become ints; a `PythonFloat` stays a float, a `NumberText` keeps its spelling. A `Map`'s keys keep their
 * order.
 */
export function writePythonJson(value: unknown): string {
  return write(value, '\n');
}

function write(value: unknown, newline: string): string {
  if (value === null || value === undefined) {
    return 'null';
  }
  if (typeof value === 'boolean') {
    return String(value);
  }
  if (typeof value === 'string') {
    return writeString(value);
  }
  if (value instanceof PythonFloat) {
    return pythonFloat(value.value);
  }
  if (value instanceof NumberText) {
    return value.text;
  }
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? String(value) : pythonFloat(value);
  }
  const inner = `${newline}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) {
      return '[]';
    }
    return `[${value.map((item) => inner + write(item, inner)).join(',')}${newline}]`;
  }
  const entries =
    value instanceof Map
      ? [...(value as Map<string, unknown>)]
      : Object.entries(value).toSorted(([a], [b]) => byCodePoint(a, b));
  if (entries.length === 0) {
    return '{}';
  }
  return `{${entries.map(([key, item]) => `${inner}${writeString(key)}: ${write(item, inner)}`).join(',')}${newline}}`;
}

function writeString(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Python's repr of a float: the same digits as JavaScript's, but different rules for the exponent. */
export function pythonFloat(x: number): string {
  if (!Number.isFinite(x)) {
    return String(x);
  }
  if (Object.is(x, -0)) {
    return '-0.0';
  }
  const [mantissa, exponent] = x.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (x !== 0 && (power < -4 || power >= 16)) {
    return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  return Number.isInteger(x) ? `${x}.0` : String(x);
}
