// Reference: Jinja2, src/jinja2/compiler.py and src/jinja2/runtime.py.
import { asCount, slicePositions } from './arguments.ts';
import type { Arguments, Expression, Frame, Signature, Statement, Target } from './ast.ts';
import { getAttribute, getItem } from './attributes.ts';
import { raised, TemplateFault } from './faults.ts';
import type { FilterContext } from './filter-support.ts';
import { callFilter } from './filters.ts';
import type { Meter } from './meter.ts';
import { isInteger, negative, positive } from './numbers.ts';
import { binary, compare } from './operators.ts';
import { Output, type Tracks } from './output.ts';
import { percentFormat } from './percent-format.ts';
import { toStr } from './show.ts';
import { EMPTY, Str } from './str.ts';
import { callTest } from './tests.ts';
import {
  Callable,
  type CallArguments,
  Dict,
  iterate,
  iterateOrFail,
  lengthOf,
  listOf,
  Loop,
  Namespace,
  orElse,
  str,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** How a list of statements ended early. */
type Signal = 'break' | 'continue' | undefined;

/** Variables of a frame; mapped to undefined while not set. */
class Scope {
  readonly variables = new Map<string, Value | undefined>();
  readonly parent: Scope | undefined;

  constructor(parent: Scope | undefined, unset: readonly string[] = []) {
    this.parent = parent;
    for (const name of unset) {
      this.variables.set(name, undefined);
    }
  }

  find(name: string): Value | undefined {
    if (this.variables.has(name)) {
      return this.variables.get(name);
    }
    return this.parent?.find(name);
  }
}

/** Runs a parsed template as Jinja2's sandbox does. */
export class Interpreter implements FilterContext {
  readonly meter: Meter;
  readonly #tracks: Tracks;
  /** Current line of the template. */
  #line = 0;

  /** `tracks` records where loops over certain values, and generation blocks, write. */
  constructor(meter: Meter, tracks: Tracks) {
    this.meter = meter;
    this.#tracks = tracks;
  }

  /** Returns the template's output. Throws TemplateFault with its line. */
  run(template: Frame, variables: ReadonlyMap<string, Value>): Str {
    const outer = new Scope(undefined);
    for (const [name, value] of variables) {
      outer.variables.set(name, value);
    }
    const output = new Output(this.meter, true);
    try {
      this.#statements(template.body, new Scope(outer, template.unset), output);
      return output.text;
    } catch (error) {
      const fault = error instanceof RangeError ? raised('maximum recursion depth exceeded') : error;
      if (fault instanceof TemplateFault) {
        fault.line ||= this.#line;
      }
      throw fault;
    }
  }

  filter(name: string, value: Value, args: CallArguments): Value {
    return callFilter(name, value, args, this);
  }

  test(name: string, value: Value, args: CallArguments): boolean {
    return callTest(name, value, args, this);
  }

  lookup = (of: Value, key: Value, isAttribute: boolean): Value =>
    isAttribute && key instanceof Str ? getAttribute(of, key.text, this) : getItem(of, key, this);

  // Statements

  #statements(body: readonly Statement[], scope: Scope, output: Output): Signal {
    for (const statement of body) {
      this.#line = statement.line;
      this.meter.spend(1);
      this.meter.enter();
      const signal = this.#statement(statement, scope, output);
      this.meter.leave();
      if (signal) {
        return signal;
      }
    }
    return undefined;
  }

  #statement(statement: Statement, scope: Scope, output: Output): Signal {
    switch (statement.kind) {
      case 'output':
        for (const item of statement.items) {
          if (item instanceof Str) {
            output.write(item);
          } else {
            output.write(toStr(this.#value(item, scope), this.meter));
          }
        }
        return undefined;
      case 'if': {
        const branch = statement.branches.find(({ test }) => truth(this.#value(test, scope)));
        return this.#statements(branch?.body ?? statement.otherwise, scope, output);
      }
      case 'for':
        return this.#for(statement, scope, output);
      case 'set':
        this.#assign(statement.target, this.#value(statement.value, scope), scope);
        return undefined;
      case 'setBlock': {
        const { target, filter, frame } = statement;
        const inner = new Output(this.meter);
        const within = new Scope(scope, frame.unset);
        const signal = this.#statements(frame.body, within, inner);
        if (signal) {
          return signal;
        }
        this.#assign(target, filter ? this.#value(filter, within, inner.text) : inner.text, scope);
        return undefined;
      }
      case 'filter': {
        const { filter, frame } = statement;
        const inner = new Output(this.meter);
        const within = new Scope(scope, frame.unset);
        const signal = this.#statements(frame.body, within, inner);
        if (signal) {
          return signal;
        }
        output.write(toStr(this.#value(filter, within, inner.text), this.meter));
        return undefined;
      }
      case 'with': {
        const { targets, values, frame } = statement;
        const within = new Scope(scope, frame.unset);
        targets.forEach((target, i) => this.#assign(target, this.#value(values[i]!, scope), within));
        return this.#statements(frame.body, within, output);
      }
      case 'macro': {
        const { name, signature, frame } = statement;
        scope.variables.set(name, this.#macro(name, signature, frame, scope));
        return undefined;
      }
      case 'call': {
        const { call, signature, frame } = statement;
        const caller = this.#macro(undefined, signature, frame, scope);
        const args = this.#arguments(call.args, scope);
        if (args.named.has('caller')) {
          throw raised("got multiple values for keyword argument 'caller'");
        }
        args.named.set('caller', caller);
        output.write(toStr(this.#call(this.#value(call.of, scope), args), this.meter));
        return undefined;
      }
      case 'generation': {
        const text = this.#macroText(statement.frame, new Scope(scope, statement.frame.unset));
        this.#tracks.generated(output, text.length);
        output.write(text);
        return undefined;
      }
      case 'break':
      case 'continue':
        return statement.kind;
    }
  }

  #for(statement: Statement & { kind: 'for' }, scope: Scope, output: Output): Signal {
    const items = this.#value(statement.over, scope);
    if (statement.recursive) {
      output.write(this.#recursiveFor(statement, items, scope, 0));
    } else {
      return this.#loop(statement, items, scope, output, 0, undefined);
    }
    return undefined;
  }

  #recursiveFor(statement: Statement & { kind: 'for' }, items: Value, scope: Scope, depth: number): Str {
    return this.meter.nest(() => {
      const inner = new Output(this.meter);
      const again = (more: Value): Value => this.#recursiveFor(statement, more, scope, depth + 1);
      this.#loop(statement, items, scope, inner, depth, again);
      return inner.text;
    });
  }

  /** A break or continue of the loop itself ends here; in its else-block it belongs to the outer loop. */
  #loop(
    { target, test, frame, otherwise }: Statement & { kind: 'for' },
    items: Value,
    scope: Scope,
    output: Output,
    depth: number,
    again: Loop['again'],
  ): Signal {
    const chosen = test ? this.#tested(iterateOrFail(items), target, test, scope) : iterateOrFail(items);
    const loop = new Loop(chosen, test ? undefined : lengthOf(items), depth, again);
    let ranThrough = false;
    for (let item; (item = loop.next()) !== undefined;) {
      this.meter.spend(1);
      const within = new Scope(scope, frame.unset);
      within.variables.set('loop', loop);
      this.#assign(target, item, within);
      const end = this.#tracks.visit(item, output);
      const signal = this.#statements(frame.body, within, output);
      end?.();
      if (signal === 'break') {
        break;
      }
      if (signal !== 'continue') {
        ranThrough = true;
      }
    }
    // Jinja2 runs the else-block if no iteration reached the end of the loop's body.
    if (ranThrough || !otherwise) {
      return undefined;
    }
    return this.#statements(otherwise.body, new Scope(scope, otherwise.unset), output);
  }

  *#tested(items: Iterable<Value>, target: Target, test: Expression, scope: Scope): Generator<Value> {
    for (const item of items) {
      this.meter.spend(1);
      const within = new Scope(scope);
      this.#assign(target, item, within);
      if (truth(this.#value(test, within))) {
        yield item;
      }
    }
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') {
      scope.variables.set(target.name, value);
    } else if (target.kind === 'attribute') {
      const namespace = scope.find(target.of);
      if (!(namespace instanceof Namespace)) {
        throw raised('cannot assign attribute on non-namespace object');
      }
      namespace.set(target.name, value);
    } else {
      const { items } = target;
      const values = iterate(value) ? listOf(value, this.meter) : undefined;
      if (!values) {
        if (value instanceof Undefined) {
          value.fail();
        }
        throw raised(`cannot unpack non-iterable ${typeName(value)} object`);
      }
      if (values.length !== items.length) {
        throw raised(
          values.length < items.length
            ? `not enough values to unpack (expected ${items.length}, got ${values.length})`
            : `too many values to unpack (expected ${items.length})`,
        );
      }
      items.forEach((inner, i) => this.#assign(inner, values[i]!, scope));
    }
  }

  // Calls

  #macro(name: string | undefined, signature: Signature, frame: Frame, closure: Scope): Callable {
    const call = (args: CallArguments): Value => {
      const scope = new Scope(closure, frame.unset);
      this.#bindMacro(name, signature, args, scope);
      return this.#macroText(frame, scope);
    };
    const has = (implicit: string): boolean => signature.implicit.has(implicit);
    const attributes = new Map<string, Value>([
      ['name', name === undefined ? null : str(name)],
      ['arguments', new Tuple(signature.parameters.map((parameter) => str(parameter.name)))],
      ['catch_kwargs', has('kwargs')],
      ['catch_varargs', has('varargs')],
      ['caller', has('caller')],
    ]);
    const shown = name === undefined ? '<Macro anonymous>' : `<Macro '${name}'>`;
    return new Callable(name ?? 'caller', call, { shown, attributes });
  }

  #macroText(frame: Frame, scope: Scope): Str {
    return this.meter.nest(() => {
      const output = new Output(this.meter);
      this.#statements(frame.body, scope, output);
      return output.text;
    });
  }

  #bindMacro(
    name: string | undefined,
    { parameters, implicit }: Signature,
    { positional, named }: CallArguments,
    scope: Scope,
  ): void {
    const left = new Map(named);
    const missing: typeof parameters = [];
    parameters.forEach((parameter, i) => {
      const given = i < positional.length ? positional[i] : left.get(parameter.name);
      if (i >= positional.length) {
        left.delete(parameter.name);
      }
      if (given === undefined) {
        missing.push(parameter);
      } else {
        scope.variables.set(parameter.name, given);
      }
    });
    if (implicit.has('caller')) {
      scope.variables.set(
        'caller',
        orElse(left.get('caller'), () => new Undefined('No caller defined')),
      );
      left.delete('caller');
    }
    const who = name === undefined ? 'the call block' : `macro '${name}'`;
    if (implicit.has('kwargs')) {
      scope.variables.set('kwargs', new Dict([...left].map(([key, value]) => [str(key), value] as const)));
    } else if (left.size > 0) {
      throw raised(`${who} takes no keyword argument '${[...left.keys()][0]}'`);
    }
    if (implicit.has('varargs')) {
      scope.variables.set('varargs', new Tuple(positional.slice(parameters.length)));
    } else if (positional.length > parameters.length) {
      throw raised(`${who} takes not more than ${parameters.length} argument(s)`);
    }
    // Defaults can use the parameters before them.
    for (const { name: own, standard } of parameters) {
      if (!missing.some((parameter) => parameter.name === own)) {
        continue;
      }
      const value = standard
        ? this.#value(standard, scope)
        : new Undefined(`parameter '${own}' was not provided`);
      scope.variables.set(own, value);
    }
  }

  #arguments(args: Arguments, scope: Scope): CallArguments {
    const positional = args.positional.map((argument) => this.#value(argument, scope));
    const named = new Map(args.named.map(([name, value]) => [name, this.#value(value, scope)] as const));
    if (args.rest) {
      positional.push(...listOf(this.#value(args.rest, scope), this.meter));
    }
    if (args.more) {
      const more = this.#value(args.more, scope);
      if (!(more instanceof Dict)) {
        throw raised(`argument after ** must be a mapping, not ${typeName(more)}`);
      }
      for (const [key, value] of more.entries()) {
        if (!(key instanceof Str)) {
          throw raised('keywords must be strings');
        }
        if (named.has(key.text)) {
          throw raised(`got multiple values for keyword argument '${key.text}'`);
        }
        named.set(key.text, value);
      }
    }
    return { positional, named };
  }

  #call(called: Value, args: CallArguments): Value {
    if (called instanceof Callable) {
      return called.call(args);
    }
    if (called instanceof Undefined) {
      return called.fail();
    }
    if (!(called instanceof Loop)) {
      throw raised(`'${typeName(called)}' object is not callable`);
    }
    if (!called.again) {
      throw raised("The loop must have the 'recursive' marker to be called recursively.");
    }
    const [items] = args.positional;
    if (items === undefined || args.positional.length > 1 || args.named.size > 0) {
      throw raised('a recursive loop takes one argument');
    }
    return called.again(items);
  }

  // Expressions

  /** `piped`: the input of a filter without an operand, the text of its block. */
  #value(expression: Expression, scope: Scope, piped = EMPTY): Value {
    this.meter.spend(1);
    this.meter.enter();
    const value = this.#evaluate(expression, scope, piped);
    this.meter.leave();
    return value;
  }

  #evaluate(expression: Expression, scope: Scope, piped: Str): Value {
    const of = (part: Expression): Value => this.#value(part, scope, piped);
    const { meter } = this;
    switch (expression.kind) {
      case 'string':
      case 'integer':
      case 'float':
      case 'constant':
        return expression.value;
      case 'name':
        return orElse(
          scope.find(expression.name),
          () => new Undefined(`'${expression.name.slice(0, 100)}' is not defined`),
        );
      case 'list':
        return expression.items.map(of);
      case 'tuple':
        return new Tuple(expression.items.map(of));
      case 'dict':
        return new Dict(expression.pairs.map(([key, value]) => [of(key), of(value)] as const));
      case 'unary': {
        const value = of(expression.of);
        if (expression.operator === 'not') {
          return !truth(value);
        }
        return expression.operator === '-' ? negative(value) : positive(value);
      }
      case 'binary': {
        const [left, right] = [of(expression.left), of(expression.right)];
        if (expression.operator === '%' && left instanceof Str) {
          return percentFormat(left, right, meter);
        }
        return binary(expression.operator, left, right, meter);
      }
      case 'and':
      case 'or': {
        const left = of(expression.left);
        return truth(left) === (expression.kind === 'or') ? left : of(expression.right);
      }
      case 'concat': {
        const parts = expression.items.map((item) => toStr(of(item), meter));
        meter.write(parts.reduce((sum, part) => sum + part.length, 0));
        return Str.join(parts);
      }
      case 'compare': {
        let left = of(expression.first);
        for (const [operator, other] of expression.rest) {
          const right = of(other);
          if (!compare(operator, left, right, meter)) {
            return false;
          }
          left = right;
        }
        return true;
      }
      case 'if': {
        if (truth(of(expression.test))) {
          return of(expression.yes);
        }
        if (expression.no) {
          return of(expression.no);
        }
        return new Undefined('the inline if-expression evaluated to false and no else section was defined.');
      }
      case 'attribute':
        return getAttribute(of(expression.of), expression.name, this);
      case 'item':
        return getItem(of(expression.of), of(expression.index), this);
      case 'slice':
        return this.#slice(expression, of);
      case 'call': {
        const called = of(expression.of);
        this.#line = expression.line;
        return this.#call(called, this.#arguments(expression.args, scope));
      }
      case 'filter': {
        const value = expression.of ? of(expression.of) : piped;
        this.#line = expression.line;
        return this.filter(expression.name, value, this.#arguments(expression.args, scope));
      }
      case 'test':
        return this.test(expression.name, of(expression.of), this.#arguments(expression.args, scope));
    }
  }

  #slice(
    { of, begin, end, step }: Expression & { kind: 'slice' },
    evaluate: (part: Expression) => Value,
  ): Value {
    const value = evaluate(of);
    const bound = (part: Expression | undefined): number | undefined => {
      const at = part && evaluate(part);
      if (at === undefined || at === null) {
        return undefined;
      }
      if (at instanceof Undefined || !isInteger(at)) {
        throw raised('slice indices must be integers or None or have an __index__ method');
      }
      return asCount(at, 'slice');
    };
    const bounds = [bound(begin), bound(end), bound(step) ?? 1] as const;
    if (value instanceof Undefined) {
      value.fail();
    }
    if (value instanceof Str) {
      this.meter.read(value.length);
      const { first, count } = slicePositions(value.lengthInPoints, ...bounds);
      if (bounds[2] === 1) {
        return value.slice(value.unitOf(first), value.unitOf(first + count));
      }
      const points = [...value.points()];
      return Str.join(Array.from({ length: count }, (_, i) => points[first + i * bounds[2]]!));
    }
    const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
    if (!items) {
      throw raised(`'${typeName(value)}' object is not subscriptable by slices`);
    }
    const { first, count } = slicePositions(items.length, ...bounds);
    this.meter.list(count);
    const taken = Array.from({ length: count }, (_, i) => items[first + i * bounds[2]]!);
    return Array.isArray(value) ? taken : new Tuple(taken);
  }
}
