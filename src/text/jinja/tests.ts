// Reference: Jinja2, src/jinja2/tests.py.
import { asStr, bindPlaces } from './arguments.ts';
import type { ComparisonOperator } from './ast.ts';
import { own } from './attributes.ts';
import { raised, unsupported } from './faults.ts';
import { isFilter } from './filters.ts';
import { isInteger, isNumber } from './numbers.ts';
import { binary, compare, contains, equal } from './operators.ts';
import { toStr } from './show.ts';
import { Str } from './str.ts';
import { type Context, STR_METHODS } from './str-methods.ts';
import {
  Callable,
  type CallArguments,
  Dict,
  iterate,
  Range,
  Tuple,
  Undefined,
  type Value,
} from './values.ts';

type Test = (value: Value, others: readonly Value[], context: Context) => boolean;

const NONE: CallArguments = { positional: [], named: new Map() };

const rest = (value: Value, by: Value, { meter }: Context): Value => binary('%', value, by, meter);
const ordered =
  (operator: ComparisonOperator): Test =>
  (value, [other], { meter }) =>
    compare(operator, value, other!, meter);

/** Jinja2's tests by name, each with its number of arguments. */
const TESTS: Readonly<Record<string, readonly [count: number, test: Test]>> = {
  boolean: [0, (value) => typeof value === 'boolean'],
  callable: [0, (value) => value instanceof Callable || value instanceof Undefined],
  defined: [0, (value) => !(value instanceof Undefined)],
  divisibleby: [1, (value, [by], context) => equal(rest(value, by!, context), 0n, context.meter)],
  escaped: [0, (value) => value instanceof Str && value.safe],
  even: [0, (value, _, context) => equal(rest(value, 2n, context), 0n, context.meter)],
  false: [0, (value) => value === false],
  filter: [0, (value) => isFilter(asStr(value, 'a filter').text)],
  float: [0, (value) => typeof value === 'number'],
  in: [1, (value, [container], { meter }) => contains(container!, value, meter)],
  integer: [0, (value) => isInteger(value) && typeof value !== 'boolean'],
  iterable: [0, (value) => iterate(value) !== undefined],
  lower: [0, (value, _, context) => isCase('islower', value, context)],
  mapping: [0, (value) => value instanceof Dict],
  none: [0, (value) => value === null],
  number: [0, (value) => isNumber(value)],
  odd: [0, (value, _, context) => equal(rest(value, 2n, context), 1n, context.meter)],
  sameas: [1, (value, [other]) => isSame(value, other!)],
  sequence: [0, isSequence],
  string: [0, (value) => value instanceof Str],
  test: [0, (value) => isTest(asStr(value, 'a test').text)],
  true: [0, (value) => value === true],
  undefined: [0, (value) => value instanceof Undefined],
  upper: [0, (value, _, context) => isCase('isupper', value, context)],
  '==': [1, ordered('==')],
  '!=': [1, ordered('!=')],
  '>': [1, ordered('>')],
  '>=': [1, ordered('>=')],
  '<': [1, ordered('<')],
  '<=': [1, ordered('<=')],
};

const ALIASES: Readonly<Record<string, string>> = {
  eq: '==',
  equalto: '==',
  ne: '!=',
  gt: '>',
  greaterthan: '>',
  ge: '>=',
  lt: '<',
  lessthan: '<',
  le: '<=',
};

export function callTest(name: string, value: Value, args: CallArguments, context: Context): boolean {
  const [count, test] = own(TESTS, own(ALIASES, name) ?? name) ?? [0, undefined];
  if (!test) {
    throw raised(`No test named '${name.slice(0, 100)}'`);
  }
  if (args.named.size > 0) {
    throw unsupported('names of the arguments of a test');
  }
  return test(value, bindPlaces(`the test ${name}`, args, count, count) as Value[], context);
}

export const isTest = (name: string): boolean => own(TESTS, own(ALIASES, name) ?? name) !== undefined;

function isCase(name: 'islower' | 'isupper', value: Value, context: Context): boolean {
  return STR_METHODS[name]!(toStr(value, context.meter), NONE, context) === true;
}

/** Whether it has a length and items: true also for dicts and undefined names. */
function isSequence(value: Value): boolean {
  return (
    value instanceof Str ||
    Array.isArray(value) ||
    [Tuple, Dict, Range, Undefined].some((type) => value instanceof type)
  );
}

/** Python's `is`; for texts and numbers it depends on what CPython shares. */
function isSame(value: Value, other: Value): boolean {
  if (value === other && (typeof value === 'boolean' || value === null || typeof value === 'object')) {
    return true;
  }
  const isShared = (one: Value): boolean => one instanceof Str || (isNumber(one) && typeof one !== 'boolean');
  if (isShared(value) && isShared(other)) {
    throw unsupported('sameas for texts or numbers');
  }
  return false;
}
