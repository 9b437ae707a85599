import { raised } from './faults.ts';
import { integer, isInteger } from './numbers.ts';
import { Str } from './str.ts';
import { type CallArguments, typeName, Undefined, type Value } from './values.ts';

/**
 * A call's arguments by parameter name; undefined for those not given. The first `required` must be given. Throws
 * as Python does if they do not match.
 */
export function bind(
  what: string,
  { positional, named }: CallArguments,
  parameters: readonly string[],
  required = 0,
): (Value | undefined)[] {
  if (positional.length > parameters.length) {
    throw raised(`${what} takes at most ${parameters.length} arguments (${positional.length} given)`);
  }
  const values: (Value | undefined)[] = parameters.map((_, i) => positional[i]);
  for (const [name, value] of named) {
    const at = parameters.indexOf(name);
    if (at < 0) {
      throw raised(`${what} got an unexpected keyword argument '${name}'`);
    }
    if (values[at] !== undefined) {
      throw raised(`${what} got multiple values for argument '${name}'`);
    }
    values[at] = value;
  }
  for (let i = 0; i < required; i++) {
    if (values[i] === undefined) {
      throw raised(`${what} missing the argument '${parameters[i]}'`);
    }
  }
  return values;
}

/** Positional-only arguments, as most methods of Python's built-in types take them. */
export function bindPlaces(
  what: string,
  { positional, named }: CallArguments,
  least: number,
  most: number,
): (Value | undefined)[] {
  if (named.size > 0) {
    throw raised(`${what} takes no keyword arguments`);
  }
  if (positional.length < least || positional.length > most) {
    throw raised(
      `${what} expected ${least === most ? least : `${least} to ${most}`} arguments, got ${positional.length}`,
    );
  }
  return positional;
}

export function asStr(value: Value | undefined, what: string): Str {
  if (value instanceof Str) {
    return value;
  }
  if (value instanceof Undefined) {
    value.fail();
  }
  throw raised(`${what} must be str, not ${value === undefined ? 'missing' : typeName(value)}`);
}

/** An int small enough to count with; larger ones become infinite. */
export function asCount(value: Value | undefined, what: string): number {
  if (value !== undefined && isInteger(value)) {
    const whole = integer(value);
    if (whole > 2n ** 53n) {
      return Infinity;
    }
    return whole < -(2n ** 53n) ? -Infinity : Number(whole);
  }
  if (value instanceof Undefined) {
    value.fail();
  }
  throw raised(
    `'${value === undefined ? 'missing' : typeName(value)}' object cannot be interpreted as an integer (${what})`,
  );
}

/** The positions that a Python slice selects from a number of items. */
export function slicePositions(
  length: number,
  begin: number | undefined,
  end: number | undefined,
  step: number,
): { first: number; count: number } {
  if (step === 0) {
    throw raised('slice step cannot be zero');
  }
  const down = step < 0;
  const [low, high] = down ? [-1, length - 1] : [0, length];
  const place = (at: number | undefined, open: number): number => {
    if (at === undefined) {
      return open;
    }
    return at < 0 ? Math.max(at + length, low) : Math.min(at, high);
  };
  const first = place(begin, down ? high : low);
  const last = place(end, down ? low : high);
  const span = down ? first - last : last - first;
  return { first, count: span <= 0 ? 0 : Math.ceil(span / Math.abs(step)) };
}
