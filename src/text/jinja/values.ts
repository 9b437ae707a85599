import { NumberText, PythonFloat } from '../../formats/json.ts';
import { raised, unsupported } from './faults.ts';
import { MAX_DIGITS } from './lexer.ts';
import type { Meter } from './meter.ts';
import { type Origin, Str } from './str.ts';

/**
 * A Python value: None is null, an int a bigint, a float a number, a list an array. Values are immutable, except
 * for attributes of namespaces and the state of iterators.
 */
export type Value = null | boolean | bigint | number | Str | Value[] | PyObject;

/** The types without a JavaScript equivalent. */
type PyObject = Tuple | Dict | DictView | Range | OneShot | Undefined | Namespace | Loop | Callable;

export class Tuple {
  readonly items: readonly Value[];
  /** Names of the items of a named tuple. */
  readonly names: readonly string[];
  constructor(items: readonly Value[], names: readonly string[] = []) {
    this.items = items;
    this.names = names;
  }
}

type DictKey = string | bigint | number | null;

/** A dict: keys are texts, numbers or None, as in chat templates and JSON. */
export class Dict {
  readonly #entries = new Map<DictKey, [key: Value, value: Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) {
      this.set(key, value);
    }
  }

  /** Only while a dict is being built. An existing key stays as it is; its value is replaced. */
  set(key: Value, value: Value): void {
    const found = hashOf(key);
    const hash = found === undefined ? noKey(key) : found;
    const known = this.#entries.get(hash);
    this.#entries.set(hash, [known ? known[0] : key, value]);
  }

  /** Undefined if there is no such key, or it cannot be one. */
  get(key: Value): Value | undefined {
    const hash = hashOf(key);
    return hash === undefined ? undefined : this.#entries.get(hash)?.[1];
  }

  text(key: string): Value | undefined {
    return this.#entries.get(key)?.[1];
  }

  get size(): number {
    return this.#entries.size;
  }

  *entries(): Generator<[key: Value, value: Value]> {
    yield* this.#entries.values();
  }

  *keys(): Generator<Value> {
    for (const [key] of this.#entries.values()) {
      yield key;
    }
  }
}

/** The views that `keys()`, `values()` and `items()` of a dict return. */
export class DictView {
  readonly of: Dict;
  readonly part: 'keys' | 'values' | 'items';
  constructor(of: Dict, part: DictView['part']) {
    this.of = of;
    this.part = part;
  }

  *[Symbol.iterator](): Generator<Value> {
    for (const [key, value] of this.of.entries()) {
      if (this.part === 'items') {
        yield new Tuple([key, value]);
      } else {
        yield this.part === 'keys' ? key : value;
      }
    }
  }
}

export class Range {
  readonly begin: bigint;
  readonly end: bigint;
  readonly step: bigint;
  constructor(begin: bigint, end: bigint, step: bigint) {
    this.begin = begin;
    this.end = end;
    this.step = step;
  }

  get length(): number {
    const span = this.step > 0n ? this.end - this.begin : this.begin - this.end;
    const step = this.step > 0n ? this.step : -this.step;
    return span <= 0n ? 0 : Number((span + step - 1n) / step);
  }

  at(index: number): bigint {
    return this.begin + BigInt(index) * this.step;
  }

  *[Symbol.iterator](): Generator<Value> {
    for (let i = 0; i < this.length; i++) {
      yield this.at(i);
    }
  }
}

/** An iterator or generator: each item can be read only once. */
export class OneShot {
  readonly #iterator: Iterator<Value>;
  constructor(values: Iterable<Value>) {
    this.#iterator = values[Symbol.iterator]();
  }

  *[Symbol.iterator](): Generator<Value> {
    for (let next; !(next = this.#iterator.next()).done;) {
      yield next.value;
    }
  }
}

/** A Jinja2 generator: nothing runs, or fails, before it is iterated over. */
export function lazy(make: () => Iterable<Value>): OneShot {
  function* values(): Generator<Value> {
    yield* make();
  }
  return new OneShot(values());
}

/** An undefined name or attribute: it prints as nothing and is false; most other uses are errors. */
export class Undefined {
  readonly problem: string;
  constructor(problem: string) {
    this.problem = problem;
  }

  fail(): never {
    throw raised(this.problem);
  }
}

export class Namespace {
  readonly attributes = new Map<string, Value>();

  set(name: string, value: Value): void {
    if (name.startsWith('_')) {
      throw raised(`a namespace cannot store the attribute '${name}'`);
    }
    this.attributes.set(name, value);
  }
}

/** The result of a call. */
export interface CallArguments {
  positional: Value[];
  named: Map<string, Value>;
}

/** A macro, a function, or a bound method. */
export class Callable {
  readonly name: string;
  readonly call: (args: CallArguments) => Value;
  /** How it is printed; undefined if that would be a memory address. */
  readonly shown: string | undefined;
  readonly attributes: ReadonlyMap<string, Value>;

  constructor(
    name: string,
    call: (args: CallArguments) => Value,
    { shown, attributes = new Map() }: { shown?: string; attributes?: ReadonlyMap<string, Value> } = {},
  ) {
    this.name = name;
    this.call = call;
    this.shown = shown;
    this.attributes = attributes;
  }
}

/** `loop` within a for-block. */
export class Loop {
  index0 = -1;
  readonly depth0: number;
  /** Calls the loop with other items; undefined if it is not recursive. */
  readonly again: ((items: Value) => Value) | undefined;
  #before: Value | undefined;
  #current: Value | undefined;
  #ahead: Value[] = [];
  #length: number | undefined;
  readonly #rest: Iterator<Value>;
  /** The last arguments of `changed`. */
  lastChanged: readonly Value[] | undefined;

  constructor(items: Iterable<Value>, length: number | undefined, depth0: number, again?: Loop['again']) {
    this.#rest = items[Symbol.iterator]();
    this.#length = length;
    this.depth0 = depth0;
    this.again = again;
  }

  /** Advances to the next item; undefined at the end. */
  next(): Value | undefined {
    const item = this.#peek() === undefined ? undefined : this.#ahead.shift();
    if (item === undefined) {
      return undefined;
    }
    this.index0++;
    this.#before = this.#current;
    this.#current = item;
    return item;
  }

  get length(): number {
    if (this.#length === undefined) {
      for (let next; !(next = this.#rest.next()).done;) {
        this.#ahead.push(next.value);
      }
      this.#length = this.index0 + 1 + this.#ahead.length;
    }
    return this.#length;
  }

  get last(): boolean {
    return this.#peek() === undefined;
  }

  get previous(): Value {
    return this.index0 === 0 ? new Undefined('there is no previous item') : this.#before!;
  }

  get following(): Value {
    return orElse(this.#peek(), () => new Undefined('there is no next item'));
  }

  #peek(): Value | undefined {
    if (this.#ahead.length === 0) {
      const next = this.#rest.next();
      if (next.done) {
        return undefined;
      }
      this.#ahead.push(next.value);
    }
    return this.#ahead[0];
  }
}

export const str = (text: string): Str => Str.of(text);

/** The value, or another one if it is absent. (`??` would treat None as absent.) */
export const orElse = (value: Value | undefined, other: () => Value): Value =>
  value === undefined ? other() : value;

/** Python's name of the value's type. */
export function typeName(value: Value): string {
  if (value === null) {
    return 'NoneType';
  }
  if (typeof value === 'boolean') {
    return 'bool';
  }
  if (typeof value === 'bigint') {
    return 'int';
  }
  if (typeof value === 'number') {
    return 'float';
  }
  if (value instanceof Str) {
    return value.safe ? 'Markup' : 'str';
  }
  if (Array.isArray(value)) {
    return 'list';
  }
  if (value instanceof DictView) {
    return `dict_${value.part}`;
  }
  if (value instanceof OneShot) {
    return 'generator';
  }
  if (value instanceof Loop) {
    return 'LoopContext';
  }
  if (value instanceof Callable) {
    return 'function';
  }
  if (value instanceof Undefined) {
    return 'missing';
  }
  return value.constructor.name.toLowerCase();
}

/** The identity of a dict key: 1, 1.0 and True are equal. Undefined for values that cannot be keys here. */
export function hashOf(key: Value): DictKey | undefined {
  if (key instanceof Str) {
    return key.text;
  }
  if (typeof key === 'boolean') {
    return key ? 1n : 0n;
  }
  if (typeof key === 'number') {
    return Number.isInteger(key) ? BigInt(key) : key;
  }
  if (typeof key === 'bigint' || key === null) {
    return key;
  }
  return undefined;
}

/** For a value used as a key that has no hash here. */
export function noKey(key: Value): never {
  if (Array.isArray(key) || key instanceof Dict || key instanceof DictView) {
    throw raised(`unhashable type: '${typeName(key)}'`);
  }
  throw unsupported(`a ${typeName(key)} as the key of a dict`);
}

/** The values of a Python iterable; undefined for anything else. */
export function iterate(value: Value): Iterable<Value> | undefined {
  if (value instanceof Str) {
    return value.points();
  }
  if (Array.isArray(value)) {
    return value;
  }
  if (value instanceof Tuple) {
    return value.items;
  }
  if (value instanceof Dict) {
    return value.keys();
  }
  if (value instanceof DictView || value instanceof Range || value instanceof OneShot) {
    return value;
  }
  if (value instanceof Undefined) {
    return [];
  }
  if (value instanceof Loop) {
    throw unsupported('the loop as something to iterate over');
  }
  return undefined;
}

export function iterateOrFail(value: Value): Iterable<Value> {
  return iterate(value) ?? fail(`'${typeName(value)}' object is not iterable`);
}

/** All values of an iterable, as a list. */
export function listOf(value: Value, meter: Meter): Value[] {
  const list: Value[] = [];
  for (const item of iterateOrFail(value)) {
    list.push(item);
    meter.list(list.length & 63 ? 0 : list.length >> 5);
  }
  return list;
}

/** Python's len; undefined for values without one. */
export function lengthOf(value: Value): number | undefined {
  if (value instanceof Str) {
    return value.lengthInPoints;
  }
  if (Array.isArray(value)) {
    return value.length;
  }
  if (value instanceof Tuple) {
    return value.items.length;
  }
  if (value instanceof Dict) {
    return value.size;
  }
  if (value instanceof DictView) {
    return value.of.size;
  }
  if (value instanceof Range || value instanceof Loop) {
    return value.length;
  }
  return value instanceof Undefined ? 0 : undefined;
}

/** Python's bool. */
export function truth(value: Value): boolean {
  if (value === null || value === false) {
    return false;
  }
  if (typeof value === 'bigint') {
    return value !== 0n;
  }
  if (typeof value === 'number') {
    return value !== 0;
  }
  return lengthOf(value) !== 0;
}

export const fail = (message: string): never => {
  throw raised(message);
};

/** The int of a decimal text. */
export function toInteger(digits: string): bigint {
  if (digits.length > MAX_DIGITS) {
    fail(`Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion`);
  }
  return BigInt(digits);
}

/** A JSON value as Python reads it: objects are `Map`s or plain ones; numbers by their text if it was kept. */
export function fromJson(json: unknown, origin: Origin): Value {
  if (json === null || json === undefined) {
    return null;
  }
  if (typeof json === 'boolean') {
    return json;
  }
  if (typeof json === 'string') {
    return Str.of(json, origin);
  }
  if (json instanceof NumberText) {
    return /[.eE]/.test(json.text) ? Number(json.text) : toInteger(json.text);
  }
  if (json instanceof PythonFloat) {
    return json.value;
  }
  if (typeof json === 'number') {
    return Number.isSafeInteger(json) ? BigInt(json) : json;
  }
  if (Array.isArray(json)) {
    return json.map((item) => fromJson(item, origin));
  }
  const entries = json instanceof Map ? [...(json as Map<string, unknown>)] : Object.entries(json as object);
  return new Dict(entries.map(([key, value]) => [Str.of(key, origin), fromJson(value, origin)] as const));
}
