import { NumberText, PythonFloat } from './json.ts';

/** Spaces by which a level is indented. */
const INDENT = '  ';

/** JSON over several lines, to be read and edited: the same keys, order and numbers as `jsonLine` writes. */
export function jsonLines(value: unknown, newline = '\n'): string {
  const inner = newline + INDENT;
  if (Array.isArray(value) && value.length > 0) {
    return `[${inner}${value.map((item) => jsonLines(item, inner)).join(`,${inner}`)}${newline}]`;
  }
  if (value instanceof Map && value.size > 0) {
    const entries = [...(value as Map<string, unknown>)].map(
      ([key, item]) => `${JSON.stringify(key)}: ${jsonLines(item, inner)}`,
    );
    return `{${inner}${entries.join(`,${inner}`)}${newline}}`;
  }
  return jsonLine(value);
}

/** JSON on one line: a `Map`'s keys in their order, numbers as their file spells them. */
export function jsonLine(value: unknown): string {
  if (value instanceof NumberText || value instanceof PythonFloat) {
    return value.toString();
  }
  if (Array.isArray(value)) {
    return `[${value.map(jsonLine).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value);
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}: ${jsonLine(inner)}`).join(', ')}}`;
  }
  return JSON.stringify(value ?? null);
}
