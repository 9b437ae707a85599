import { NumberText, PythonFloat } from './json.ts';

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
