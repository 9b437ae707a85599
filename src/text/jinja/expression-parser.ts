// Reference: Jinja2, src/jinja2/parser.py.
import type { Arguments, BinaryOperator, ComparisonOperator, Expression } from './ast.ts';
import { TemplateFault, unsupported } from './faults.ts';
import { isFilter } from './filters.ts';
import { Str } from './str.ts';
import { isTest } from './tests.ts';
import type { TokenCursor } from './token-cursor.ts';

const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];

/** Parses expressions, from the operators that bind loosest. Every method throws TemplateFault. */
export class ExpressionParser {
  readonly #tokens: TokenCursor;
  /** Within an if, unknown filters and tests matter only if they are reached. */
  isSoft = false;
  /** Errors of unknown filters and tests elsewhere. */
  readonly unknown: TemplateFault[] = [];

  constructor(tokens: TokenCursor) {
    this.#tokens = tokens;
  }

  atTupleEnd(): boolean {
    return ['}}', '%}', ')', 'end'].includes(this.#tokens.now.type);
  }

  /** An expression, or several separated by commas, which form a tuple. */
  tupleOrOne(withIf = true, ends: () => boolean = () => false, inBrackets = false): Expression {
    const line = this.#tokens.line;
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (this.atTupleEnd() || ends()) {
        break;
      }
      items.push(withIf ? this.expression() : this.#or());
      if (!this.#tokens.skip(',')) {
        break;
      }
      isTuple = true;
    }
    if (!isTuple) {
      if (items[0]) {
        return items[0];
      }
      if (!inBrackets) {
        this.#tokens.fail(`Expected an expression, got ${this.#tokens.found()}`);
      }
    }
    return { kind: 'tuple', items, line };
  }

  expression(): Expression {
    return this.#tokens.nested(() => {
      const line = this.#tokens.line;
      const unknown = this.unknown.length;
      let yes = this.#or();
      while (this.#tokens.skipName('if')) {
        const test = this.#or();
        const no = this.#tokens.skipName('else') ? this.expression() : undefined;
        yes = { kind: 'if', test, yes, no, line };
        this.unknown.length = unknown;
      }
      return yes;
    });
  }

  #or(): Expression {
    return this.#tokens.chain(this.#and(), (left) => {
      const { line } = this.#tokens.now;
      return this.#tokens.skipName('or') ? { kind: 'or', left, right: this.#and(), line } : undefined;
    });
  }

  #and(): Expression {
    return this.#tokens.chain(this.#not(), (left) => {
      const { line } = this.#tokens.now;
      return this.#tokens.skipName('and') ? { kind: 'and', left, right: this.#not(), line } : undefined;
    });
  }

  #not(): Expression {
    if (!this.#tokens.isName('not')) {
      return this.#comparison();
    }
    const { line } = this.#tokens.take();
    return { kind: 'unary', operator: 'not', of: this.#tokens.nested(() => this.#not()), line };
  }

  #comparison(): Expression {
    const line = this.#tokens.line;
    const first = this.#sum();
    const rest: [ComparisonOperator, Expression][] = [];
    for (let operator; (operator = this.#comparisonOperator());) {
      rest.push([operator, this.#sum()]);
    }
    return rest.length > 0 ? { kind: 'compare', first, rest, line } : first;
  }

  #comparisonOperator(): ComparisonOperator | undefined {
    if (COMPARISONS.includes(this.#tokens.now.type)) {
      return this.#tokens.take().type as ComparisonOperator;
    }
    if (this.#tokens.skipName('in')) {
      return 'in';
    }
    const after = this.#tokens.after;
    if (!this.#tokens.isName('not') || after?.type !== 'name' || after.value !== 'in') {
      return undefined;
    }
    this.#tokens.take();
    this.#tokens.take();
    return 'not in';
  }

  #sum(): Expression {
    return this.#leftToRight(['+', '-'], () => this.#concatenation());
  }

  /** `~` binds tighter than `+` in Jinja. */
  #concatenation(): Expression {
    const line = this.#tokens.line;
    const items = [this.#product()];
    while (this.#tokens.skip('~')) {
      items.push(this.#product());
    }
    return items.length > 1 ? { kind: 'concat', items, line } : items[0]!;
  }

  #product(): Expression {
    return this.#leftToRight(['*', '/', '//', '%'], () => this.#power());
  }

  #power(): Expression {
    const power = this.#leftToRight(['**'], () => this.#unary());
    if (power.kind !== 'binary' || !isNegativeLiteral(power.left) || isLiteral(power.right)) {
      return power;
    }
    // Jinja2 copies the literal -2 into Python code, where -2 ** x means -(2 ** x).
    return { ...power.left, of: { ...power, left: power.left.of } };
  }

  #leftToRight(operators: readonly string[], operand: () => Expression): Expression {
    return this.#tokens.chain(operand(), (left) => {
      const { type, line } = this.#tokens.now;
      if (!operators.includes(type)) {
        return undefined;
      }
      this.#tokens.take();
      return { kind: 'binary', operator: type as BinaryOperator, left, right: operand(), line };
    });
  }

  #unary(withFilters = true): Expression {
    const { type, line } = this.#tokens.now;
    let result: Expression;
    if (type === '-' || type === '+') {
      this.#tokens.take();
      result = { kind: 'unary', operator: type, of: this.#tokens.nested(() => this.#unary(false)), line };
    } else {
      result = this.#primary();
    }
    result = this.#postfix(result);
    return withFilters ? this.#filtersAndTests(result) : result;
  }

  #primary(): Expression {
    const { type, value, line } = this.#tokens.take();
    switch (type) {
      case 'name':
        if (['true', 'True'].includes(value)) {
          return { kind: 'constant', value: true, line };
        }
        if (['false', 'False'].includes(value)) {
          return { kind: 'constant', value: false, line };
        }
        if (['none', 'None'].includes(value)) {
          return { kind: 'constant', value: null, line };
        }
        return { kind: 'name', name: value, line };
      case 'string': {
        let text = value;
        while (this.#tokens.is('string')) {
          text += this.#tokens.take().value;
        }
        return { kind: 'string', value: Str.of(text), line };
      }
      case 'integer':
        return { kind: 'integer', value: BigInt(value), line };
      case 'float':
        return { kind: 'float', value: Number(value), line };
      case '(': {
        const inner = this.tupleOrOne(true, undefined, true);
        this.#tokens.expect(')');
        return inner;
      }
      case '[':
        return { kind: 'list', items: this.#listed(']', () => this.expression()), line };
      case '{': {
        const pairs = this.#listed('}', (): [Expression, Expression] => {
          const key = this.expression();
          this.#tokens.expect(':');
          return [key, this.expression()];
        });
        return { kind: 'dict', pairs, line };
      }
    }
    this.#tokens.back();
    this.#tokens.fail(`unexpected ${this.#tokens.found()}`);
  }

  #listed<T>(end: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.#tokens.is(end)) {
      if (items.length > 0) {
        this.#tokens.expect(',');
      }
      if (this.#tokens.is(end)) {
        break;
      }
      items.push(item());
    }
    this.#tokens.take();
    return items;
  }

  #postfix(of: Expression): Expression {
    return this.#tokens.chain(of, (so) => {
      if (this.#tokens.is('.') || this.#tokens.is('[')) {
        return this.#subscript(so);
      }
      return this.#tokens.is('(') ? this.#call(so) : undefined;
    });
  }

  #filtersAndTests(of: Expression): Expression {
    return this.#tokens.chain(of, (so) => {
      if (this.#tokens.is('|')) {
        return this.#filter(so);
      }
      if (this.#tokens.isName('is')) {
        return this.#test(so);
      }
      return this.#tokens.is('(') ? this.#call(so) : undefined;
    });
  }

  #subscript(of: Expression): Expression {
    const { type, line } = this.#tokens.take();
    if (type === '.') {
      const name = this.#tokens.take();
      if (name.type === 'name') {
        return { kind: 'attribute', of, name: name.value, line };
      }
      if (name.type !== 'integer') {
        this.#tokens.fail('expected name or number');
      }
      return { kind: 'item', of, index: { kind: 'integer', value: BigInt(name.value), line }, line };
    }
    const items: (Expression | SliceBounds)[] = [];
    while (!this.#tokens.is(']')) {
      if (items.length > 0) {
        this.#tokens.expect(',');
      }
      items.push(this.#subscribed());
    }
    this.#tokens.take();
    const only = items.length === 1 ? items[0]! : undefined;
    if (only && 'bounds' in only) {
      return { kind: 'slice', of, ...only.bounds, line };
    }
    if (items.some((item) => 'bounds' in item)) {
      throw unsupported('a slice in several dimensions');
    }
    return { kind: 'item', of, index: only ?? { kind: 'tuple', items: items as Expression[], line }, line };
  }

  #subscribed(): Expression | SliceBounds {
    const open = (): boolean => !this.#tokens.is(':') && !this.#tokens.is(']') && !this.#tokens.is(',');
    const begin = this.#tokens.is(':') ? undefined : this.expression();
    if (begin && !this.#tokens.is(':')) {
      return begin;
    }
    this.#tokens.take();
    const end = open() ? this.expression() : undefined;
    const step = this.#tokens.skip(':') && open() ? this.expression() : undefined;
    return { bounds: { begin, end, step } };
  }

  #call(of: Expression): Expression {
    const { line } = this.#tokens.now;
    return { kind: 'call', of, args: this.#arguments(), line };
  }

  #arguments(): Arguments {
    const args = noArguments();
    const ensure = (allowed: boolean): void => {
      if (!allowed) {
        this.#tokens.fail('invalid syntax for function call expression');
      }
    };
    this.#tokens.expect('(');
    for (let isFirst = true; !this.#tokens.is(')'); isFirst = false) {
      if (!isFirst) {
        this.#tokens.expect(',');
        if (this.#tokens.is(')')) {
          break;
        }
      }
      const after = this.#tokens.after;
      if (this.#tokens.skip('*')) {
        ensure(!args.rest && !args.more);
        args.rest = this.expression();
      } else if (this.#tokens.skip('**')) {
        ensure(!args.more);
        args.more = this.expression();
      } else if (this.#tokens.is('name') && after?.type === '=') {
        ensure(!args.more);
        const name = this.#tokens.take().value;
        this.#tokens.take();
        if (args.named.some(([other]) => other === name)) {
          this.#tokens.fail(`keyword argument repeated: ${name}`);
        }
        args.named.push([name, this.expression()]);
      } else {
        ensure(!args.rest && !args.more && args.named.length === 0);
        args.positional.push(this.expression());
      }
    }
    this.#tokens.take();
    return args;
  }

  /** Filters of a block, which apply to its text; the first has no `|` if `begins` is true. */
  blockFilters(begins: boolean): Expression | undefined {
    if (!begins && !this.#tokens.is('|')) {
      return undefined;
    }
    const first = begins ? this.#filterCall(undefined) : this.#filter(undefined);
    return this.#tokens.chain(first, (so) => (this.#tokens.is('|') ? this.#filter(so) : undefined));
  }

  #filter(of: Expression | undefined): Expression {
    this.#tokens.expect('|');
    return this.#filterCall(of);
  }

  #filterCall(of: Expression | undefined): Expression {
    const { line } = this.#tokens.now;
    const name = this.#known('filter', this.#dottedName());
    const args = this.#tokens.is('(') ? this.#arguments() : noArguments();
    return { kind: 'filter', of, name, args, line };
  }

  #known(what: 'filter' | 'test', name: string): string {
    if (!this.isSoft && !(what === 'filter' ? isFilter(name) : isTest(name))) {
      const problem = `No ${what} named '${name.slice(0, 100)}'`;
      this.unknown.push(new TemplateFault('syntax', problem, this.#tokens.line));
    }
    return name;
  }

  #dottedName(): string {
    let name = this.#tokens.expect('name').value;
    while (this.#tokens.skip('.')) {
      name += `.${this.#tokens.expect('name').value}`;
    }
    return name;
  }

  #test(of: Expression): Expression {
    const { line } = this.#tokens.take();
    const negated = this.#tokens.skipName('not');
    const name = this.#known('test', this.#dottedName());
    let args = noArguments();
    if (this.#tokens.is('(')) {
      args = this.#arguments();
    } else if (
      ['name', 'string', 'integer', 'float', '[', '{'].includes(this.#tokens.now.type) &&
      !this.#tokens.isName('else', 'or', 'and')
    ) {
      if (this.#tokens.isName('is')) {
        this.#tokens.fail('You cannot chain multiple tests with is');
      }
      args.positional.push(this.#postfix(this.#primary()));
    }
    const test: Expression = { kind: 'test', of, name, args, line };
    return negated ? { kind: 'unary', operator: 'not', of: test, line } : test;
  }
}

const isLiteral = ({ kind }: Expression): boolean =>
  ['integer', 'float', 'string', 'constant'].includes(kind);

const isNegativeLiteral = (value: Expression): value is Expression & { kind: 'unary' } =>
  value.kind === 'unary' && value.operator === '-' && isLiteral(value.of);

interface SliceBounds {
  bounds: { begin: Expression | undefined; end: Expression | undefined; step: Expression | undefined };
}

const noArguments = (): Arguments => ({ positional: [], named: [], rest: undefined, more: undefined });
