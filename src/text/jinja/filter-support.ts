import { raised } from './faults.ts';
import { toStr } from './show.ts';
import { EMPTY, Str } from './str.ts';
import { type Context, lower } from './str-methods.ts';
import { type CallArguments, str, typeName, Undefined, type Value } from './values.ts';

/** What filters need of the interpreter. */
export interface FilterContext extends Context {
  filter(name: string, value: Value, args: CallArguments): Value;
  test(name: string, value: Value, args: CallArguments): boolean;
}

export type Filter = (value: Value, args: CallArguments, context: FilterContext) => Value;

/** markupsafe's soft_str: a text unchanged, anything else as Python's str. */
export const softStr = (value: Value, meter: FilterContext['meter']): Str =>
  value instanceof Str ? value : toStr(value, meter);

/** Throws TemplateFault: a filter got a value of the wrong kind. */
export function needs(what: string, kind: string, value: Value): never {
  if (value instanceof Undefined) {
    value.fail();
  }
  throw raised(`${what} needs ${kind}, not ${typeName(value)}`);
}

/** The sort key of filters that ignore case. */
export const ignoreCase = (value: Value): Value => (value instanceof Str ? lower(value) : value);

/** Throws TemplateFault if there are too many. */
export function spaces(count: number, meter: FilterContext['meter']): Str {
  if (count <= 0) {
    return EMPTY;
  }
  meter.write(count);
  return str(' '.repeat(count));
}
