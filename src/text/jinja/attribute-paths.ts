// Reference: Jinja2, src/jinja2/filters.py (make_attrgetter, prepare_select_or_reject).
import { asStr } from './arguments.ts';
import { getItem } from './attributes.ts';
import { raised } from './faults.ts';
import type { FilterContext } from './filter-support.ts';
import { Str } from './str.ts';
import { type CallArguments, iterateOrFail, lazy, str, truth, Undefined, type Value } from './values.ts';

/**
 * Looks up the attribute argument of filters: "function.name", with numbers for items. None is the value itself.
 * `other` is used for missing values.
 */
export function pathGetter(path: Value, context: FilterContext, other?: Value): (of: Value) => Value {
  if (path === null) {
    return (of) => of;
  }
  const parts: Value[] =
    path instanceof Str
      ? path.text.split('.').map((part) => (/^\d+$/.test(part) ? BigInt(part) : str(part)))
      : [path];
  return (of) =>
    parts.reduce((value, part) => {
      const found = getItem(value, part, context);
      return found instanceof Undefined && other !== undefined && other !== null ? other : found;
    }, of);
}

/**
 * The filters select, reject, selectattr and rejectattr: tests items, or an attribute of them, by a test or by
 * truth.
 */
export function selectOrReject(
  value: Value,
  { positional, named }: CallArguments,
  context: FilterContext,
  byAttribute: boolean,
  wanted: boolean,
): Value {
  return lazy(function* chosen() {
    if (!truth(value)) {
      return;
    }
    const rest = [...positional];
    let of = (item: Value): Value => item;
    if (byAttribute) {
      if (rest.length === 0) {
        throw raised('Missing parameter for attribute name');
      }
      of = pathGetter(rest.shift()!, context);
    }
    const name = rest.length > 0 ? asStr(rest.shift(), 'the test').text : undefined;
    const holds = (item: Value): boolean =>
      name === undefined ? truth(of(item)) : context.test(name, of(item), { positional: rest, named });
    for (const item of iterateOrFail(value)) {
      context.meter.spend(1);
      if (holds(item) === wanted) {
        yield item;
      }
    }
  });
}
