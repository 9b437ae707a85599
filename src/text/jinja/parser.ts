// Reference: Jinja2, src/jinja2/parser.py.
import type {
  Arguments,
  BinaryOperator,
  Comparison,
  Expression,
  Frame,
  Signature,
  Statement,
  Target,
} from './ast.ts';
import { TemplateFault, unsupported } from './faults.ts';
import { isFilter } from './filters.ts';
import { findUnset, namesIn } from './frames.ts';
import { tokenize, type Token } from './lexer.ts';
import { Str } from './str.ts';
import { isTest } from './tests.ts';

/** Maximum nesting of brackets, signs and blocks. (Python itself stops at about 100.) */
const MAX_NESTING = 100;
/** Maximum chained operators, filters or subscripts, which nest to the left. */
const MAX_CHAIN = 500;

const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];
/** Names that a macro or call block receives without declaring them. */
const IMPLICIT = ['caller', 'kwargs', 'varargs'];
/** Jinja2 statements that need other templates, or that change how text is printed. */
const UNSUPPORTED = ['block', 'extends', 'include', 'import', 'from', 'autoescape'];

/**
 * Parses a template by Jinja2's grammar with loop controls and transformers' generation tag, and reports whether it
 * has that tag. Throws TemplateFault.
 */
export function parse(template: string): { frame: Frame; marksGeneration: boolean } {
  const tokens = tokenize(template);
  const parser = new Parser(tokens);
  const frame: Frame = { body: parser.template(), unset: [] };
  findUnset(frame);
  return { frame, marksGeneration: parser.marksGeneration };
}

const END: Token = { type: 'end', value: 'end of template', line: 0 };

class Parser {
  readonly #tokens: readonly Token[];
  marksGeneration = false;
  #next = 0;
  #depth = 0;
  /** Enclosing loops that break and continue may end. */
  #loops = 0;
  /** Enclosing for-blocks, including those outside macros: none of them may set `loop`. */
  #forBlocks = 0;
  /** Within an if, unknown filters and tests matter only if they are reached. */
  #isSoft = false;
  readonly #unknown: TemplateFault[] = [];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  template(): Statement[] {
    const body = this.#statements([]);
    if (this.#unknown[0]) throw this.#unknown[0];
    return body;
  }

  get #now(): Token {
    return this.#tokens[this.#next] ?? { ...END, line: this.#tokens.at(-1)?.line ?? 1 };
  }

  get #line(): number {
    return this.#now.line;
  }

  #fail(problem: string): never {
    throw new TemplateFault('syntax', problem, this.#line);
  }

  #take(): Token {
    const token = this.#now;
    this.#next++;
    return token;
  }

  #is(type: string): boolean {
    return this.#now.type === type;
  }

  #isName(...names: string[]): boolean {
    return this.#is('name') && names.includes(this.#now.value);
  }

  #skip(type: string): boolean {
    if (!this.#is(type)) return false;
    this.#next++;
    return true;
  }

  #skipName(name: string): boolean {
    if (!this.#isName(name)) return false;
    this.#next++;
    return true;
  }

  #expect(type: string): Token {
    if (!this.#is(type)) this.#fail(`expected ${JSON.stringify(type)}, found ${this.#found()}`);
    return this.#take();
  }

  #expectName(name: string): void {
    if (!this.#skipName(name)) this.#fail(`expected "${name}", found ${this.#found()}`);
  }

  #found(): string {
    return JSON.stringify(this.#now.value.slice(0, 40));
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > MAX_NESTING) {
      throw new TemplateFault('limit', `it nests more than ${MAX_NESTING} deep`, this.#line);
    }
    const result = read();
    this.#depth--;
    return result;
  }

  /** Repeats `read` while it finds more that applies to what was read so far. */
  #chain(first: Expression, read: (so: Expression) => Expression | undefined): Expression {
    let so = first;
    for (let length = 0; ; length++) {
      const longer = read(so);
      if (!longer) return so;
      if (length > MAX_CHAIN)
        throw new TemplateFault('limit', `it strings more than ${MAX_CHAIN} operators together`, this.#line);
      so = longer;
    }
  }

  // Statements

  /** Statements up to a tag with one of these names, of which only `{%` is consumed; without names, to the end. */
  #statements(ends: readonly string[]): Statement[] {
    const body: Statement[] = [];
    let output: (Statement & { kind: 'output' }) | undefined;
    const print = (item: Str | Expression, line: number): void => {
      if (!output) body.push((output = { kind: 'output', items: [], line }));
      output.items.push(item);
    };
    while (!this.#is('end')) {
      const { type, value, line } = this.#take();
      if (type === 'data') print(Str.of(value), line);
      else if (type === '{{') {
        print(this.#tupleOrOne(), line);
        this.#expect('}}');
      } else {
        output = undefined;
        if (this.#isName(...ends)) return body;
        body.push(...this.#nested(() => this.#statement()));
        this.#expect('%}');
      }
    }
    if (ends.length > 0) this.#fail(`unexpected end of template, expected ${ends.join(' or ')}`);
    return body;
  }

  #statement(): Statement[] {
    const line = this.#line;
    if (!this.#is('name')) this.#fail('tag name expected');
    const name = this.#take().value;
    switch (name) {
      case 'if':
        return [this.#if(line)];
      case 'for':
        return [this.#for(line)];
      case 'set':
        return [this.#set(line)];
      case 'macro':
        return [this.#macro(line)];
      case 'call':
        return [this.#callBlock(line)];
      case 'filter':
        return [{ kind: 'filter', filter: this.#blockFilters(true)!, frame: this.#body('endfilter'), line }];
      case 'with':
        return [this.#with(line)];
      case 'generation':
        this.marksGeneration = true;
        return [{ kind: 'generation', frame: this.#function('endgeneration'), line }];
      case 'print':
        return [this.#print(line)];
      case 'break':
      case 'continue':
        if (this.#loops === 0) this.#fail(`${name} outside of a loop`);
        return [{ kind: name, line }];
    }
    if (UNSUPPORTED.includes(name)) throw Object.assign(unsupported(`the tag ${name}`), { line });
    this.#fail(`unknown tag ${JSON.stringify(name.slice(0, 40))}`);
  }

  /** The body of a block with its own variables, including its end tag. */
  #body(end: string): Frame {
    const body = this.#hard(() => this.#until(end));
    this.#take();
    return { body, unset: [] };
  }

  #hard<T>(read: () => T): T {
    const isSoft = this.#isSoft;
    this.#isSoft = false;
    const result = read();
    this.#isSoft = isSoft;
    return result;
  }

  #until(...ends: string[]): Statement[] {
    this.#skip(':');
    this.#expect('%}');
    return this.#statements(ends);
  }

  /** The body of something callable: an enclosing loop cannot be ended from inside. */
  #function(end: string): Frame {
    const loops = this.#loops;
    this.#loops = 0;
    const frame = this.#body(end);
    this.#loops = loops;
    return frame;
  }

  #if(line: number): Statement {
    const branches: { test: Expression; body: Statement[] }[] = [];
    let otherwise: Statement[] = [];
    const isSoft = this.#isSoft;
    this.#isSoft = true;
    do {
      const test = this.#tupleOrOne(false);
      branches.push({ test, body: this.#until('elif', 'else', 'endif') });
    } while (this.#skipName('elif'));
    if (this.#skipName('else')) otherwise = this.#until('endif');
    this.#take();
    this.#isSoft = isSoft;
    return { kind: 'if', branches, otherwise, line };
  }

  #for(line: number): Statement {
    this.#forBlocks++;
    const target = this.#target(() => this.#isName('in'));
    this.#expectName('in');
    const over = this.#tupleOrOne(false, () => this.#isName('recursive'));
    const test = this.#skipName('if') ? this.#expression() : undefined;
    const recursive = this.#skipName('recursive');
    this.#loops++;
    const body = this.#hard(() => this.#until('endfor', 'else'));
    this.#loops--;
    const otherwise = this.#skipName('else') ? this.#hard(() => this.#until('endfor')) : undefined;
    this.#forBlocks--;
    this.#take();
    const frame = { body, unset: [] };
    return {
      kind: 'for',
      target,
      over,
      test,
      recursive,
      frame,
      otherwise: otherwise && { body: otherwise, unset: [] },
      line,
    };
  }

  #set(line: number): Statement {
    const target = this.#target(() => false, true);
    if (this.#skip('=')) return { kind: 'set', target, value: this.#tupleOrOne(), line };
    const filter = this.#blockFilters(false);
    return { kind: 'setBlock', target, filter, frame: this.#body('endset'), line };
  }

  #with(line: number): Statement {
    const targets: Target[] = [];
    const values: Expression[] = [];
    while (!this.#is('%}') && !this.#is('end')) {
      if (targets.length > 0) this.#expect(',');
      targets.push(this.#target(() => false));
      this.#expect('=');
      values.push(this.#expression());
    }
    return { kind: 'with', targets, values, frame: this.#body('endwith'), line };
  }

  #macro(line: number): Statement {
    const name = this.#expect('name').value;
    const parameters = this.#parameters();
    const frame = this.#function('endmacro');
    return { kind: 'macro', name, signature: this.#signature(parameters, frame), frame, line };
  }

  #callBlock(line: number): Statement {
    const parameters = this.#is('(') ? this.#parameters() : [];
    const call = this.#expression();
    if (call.kind !== 'call') this.#fail('expected call');
    const frame = this.#function('endcall');
    return { kind: 'call', call, signature: this.#signature(parameters, frame), frame, line };
  }

  #parameters(): Signature['parameters'] {
    const parameters: Signature['parameters'] = [];
    this.#expect('(');
    while (!this.#is(')')) {
      if (parameters.length > 0) this.#expect(',');
      const name = this.#expect('name').value;
      const standard = this.#skip('=') ? this.#expression() : undefined;
      if (!standard && parameters.at(-1)?.standard)
        this.#fail('non-default argument follows default argument');
      if (name === 'caller' && !standard) this.#fail('the parameter caller needs a default');
      parameters.push({ name, standard });
    }
    this.#take();
    return parameters;
  }

  #signature(parameters: Signature['parameters'], frame: Frame): Signature {
    const read = namesIn(frame.body);
    const declared = parameters.map(({ name }) => name);
    return { parameters, implicit: new Set(IMPLICIT.filter((n) => read.has(n) && !declared.includes(n))) };
  }

  #print(line: number): Statement {
    const items: Expression[] = [];
    while (!this.#is('%}') && !this.#is('end')) {
      if (items.length > 0) this.#expect(',');
      items.push(this.#expression());
    }
    return { kind: 'output', items, line };
  }

  /** An assignment's target. `withAttributes` allows attributes of namespaces. */
  #target(ends: () => boolean, withAttributes = false): Target {
    const items: Target[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0 && isTuple && (ends() || this.#atTupleEnd())) break;
      items.push(this.#oneTarget(withAttributes));
      if (!this.#skip(',')) break;
      isTuple = true;
    }
    return isTuple ? { kind: 'tuple', items } : items[0]!;
  }

  #oneTarget(withAttributes: boolean): Target {
    if (this.#skip('(')) {
      // Inside brackets Jinja parses an expression, in which attributes are not valid targets.
      const inner = this.#nested(() => this.#target(() => false));
      this.#expect(')');
      return inner;
    }
    const name = this.#expect('name').value;
    if (['true', 'false', 'none', 'True', 'False', 'None'].includes(name))
      this.#fail(`can't assign to ${name}`);
    if (withAttributes && this.#skip('.')) {
      return { kind: 'attribute', of: name, name: this.#expect('name').value };
    }
    if (name === 'loop' && this.#forBlocks > 0) this.#fail("can't assign to special loop variable");
    return { kind: 'name', name };
  }

  // Expressions, from what binds loosest

  #atTupleEnd(): boolean {
    return ['}}', '%}', ')', 'end'].includes(this.#now.type);
  }

  /** An expression, or several separated by commas, which form a tuple. */
  #tupleOrOne(withIf = true, ends: () => boolean = () => false, inBrackets = false): Expression {
    const line = this.#line;
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (this.#atTupleEnd() || ends()) break;
      items.push(withIf ? this.#expression() : this.#or());
      if (!this.#skip(',')) break;
      isTuple = true;
    }
    if (!isTuple) {
      if (items[0]) return items[0];
      if (!inBrackets) this.#fail(`Expected an expression, got ${this.#found()}`);
    }
    return { kind: 'tuple', items, line };
  }

  #expression(): Expression {
    return this.#nested(() => {
      const line = this.#line;
      const unknown = this.#unknown.length;
      let yes = this.#or();
      while (this.#skipName('if')) {
        const test = this.#or();
        const no = this.#skipName('else') ? this.#expression() : undefined;
        yes = { kind: 'if', test, yes, no, line };
        this.#unknown.length = unknown;
      }
      return yes;
    });
  }

  #or(): Expression {
    return this.#chain(this.#and(), (left) => {
      const { line } = this.#now;
      return this.#skipName('or') ? { kind: 'or', left, right: this.#and(), line } : undefined;
    });
  }

  #and(): Expression {
    return this.#chain(this.#not(), (left) => {
      const { line } = this.#now;
      return this.#skipName('and') ? { kind: 'and', left, right: this.#not(), line } : undefined;
    });
  }

  #not(): Expression {
    if (!this.#isName('not')) return this.#comparison();
    const { line } = this.#take();
    return { kind: 'unary', operator: 'not', of: this.#nested(() => this.#not()), line };
  }

  #comparison(): Expression {
    const line = this.#line;
    const first = this.#sum();
    const rest: [Comparison, Expression][] = [];
    for (let operator; (operator = this.#comparisonOperator());) rest.push([operator, this.#sum()]);
    return rest.length > 0 ? { kind: 'compare', first, rest, line } : first;
  }

  #comparisonOperator(): Comparison | undefined {
    if (COMPARISONS.includes(this.#now.type)) return this.#take().type as Comparison;
    if (this.#skipName('in')) return 'in';
    const after = this.#tokens[this.#next + 1];
    if (!this.#isName('not') || after?.type !== 'name' || after.value !== 'in') return undefined;
    this.#next += 2;
    return 'not in';
  }

  #sum(): Expression {
    return this.#leftToRight(['+', '-'], () => this.#concatenation());
  }

  /** `~` binds tighter than `+` in Jinja. */
  #concatenation(): Expression {
    const line = this.#line;
    const items = [this.#product()];
    while (this.#skip('~')) items.push(this.#product());
    return items.length > 1 ? { kind: 'concat', items, line } : items[0]!;
  }

  #product(): Expression {
    return this.#leftToRight(['*', '/', '//', '%'], () => this.#power());
  }

  #power(): Expression {
    const power = this.#leftToRight(['**'], () => this.#unary());
    if (power.kind !== 'binary' || !isNegativeLiteral(power.left) || isLiteral(power.right)) return power;
    // Jinja2 copies the literal -2 into Python code, where -2 ** x means -(2 ** x).
    return { ...power.left, of: { ...power, left: power.left.of } };
  }

  #leftToRight(operators: readonly string[], operand: () => Expression): Expression {
    return this.#chain(operand(), (left) => {
      const { type, line } = this.#now;
      if (!operators.includes(type)) return undefined;
      this.#take();
      return { kind: 'binary', operator: type as BinaryOperator, left, right: operand(), line };
    });
  }

  #unary(withFilters = true): Expression {
    const { type, line } = this.#now;
    let result: Expression;
    if (type === '-' || type === '+') {
      this.#take();
      result = { kind: 'unary', operator: type, of: this.#nested(() => this.#unary(false)), line };
    } else result = this.#primary();
    result = this.#postfix(result);
    return withFilters ? this.#filtersAndTests(result) : result;
  }

  #primary(): Expression {
    const { type, value, line } = this.#take();
    switch (type) {
      case 'name':
        if (['true', 'True'].includes(value)) return { kind: 'constant', value: true, line };
        if (['false', 'False'].includes(value)) return { kind: 'constant', value: false, line };
        if (['none', 'None'].includes(value)) return { kind: 'constant', value: null, line };
        return { kind: 'name', name: value, line };
      case 'string': {
        let text = value;
        while (this.#is('string')) text += this.#take().value;
        return { kind: 'string', value: Str.of(text), line };
      }
      case 'integer':
        return { kind: 'integer', value: BigInt(value), line };
      case 'float':
        return { kind: 'float', value: Number(value), line };
      case '(': {
        const inner = this.#tupleOrOne(true, undefined, true);
        this.#expect(')');
        return inner;
      }
      case '[':
        return { kind: 'list', items: this.#listed(']', () => this.#expression()), line };
      case '{': {
        const pairs = this.#listed('}', (): [Expression, Expression] => {
          const key = this.#expression();
          this.#expect(':');
          return [key, this.#expression()];
        });
        return { kind: 'dict', pairs, line };
      }
    }
    this.#next--;
    this.#fail(`unexpected ${this.#found()}`);
  }

  #listed<T>(end: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.#is(end)) {
      if (items.length > 0) this.#expect(',');
      if (this.#is(end)) break;
      items.push(item());
    }
    this.#take();
    return items;
  }

  #postfix(of: Expression): Expression {
    return this.#chain(of, (so) => {
      if (this.#is('.') || this.#is('[')) return this.#subscript(so);
      return this.#is('(') ? this.#call(so) : undefined;
    });
  }

  #filtersAndTests(of: Expression): Expression {
    return this.#chain(of, (so) => {
      if (this.#is('|')) return this.#filter(so);
      if (this.#isName('is')) return this.#test(so);
      return this.#is('(') ? this.#call(so) : undefined;
    });
  }

  #subscript(of: Expression): Expression {
    const { type, line } = this.#take();
    if (type === '.') {
      const name = this.#take();
      if (name.type === 'name') return { kind: 'attribute', of, name: name.value, line };
      if (name.type !== 'integer') this.#fail('expected name or number');
      return { kind: 'item', of, index: { kind: 'integer', value: BigInt(name.value), line }, line };
    }
    const items: (Expression | SliceBounds)[] = [];
    while (!this.#is(']')) {
      if (items.length > 0) this.#expect(',');
      items.push(this.#subscribed());
    }
    this.#take();
    const only = items.length === 1 ? items[0]! : undefined;
    if (only && 'bounds' in only) return { kind: 'slice', of, ...only.bounds, line };
    if (items.some((item) => 'bounds' in item)) throw unsupported('a slice in several dimensions');
    return { kind: 'item', of, index: only ?? { kind: 'tuple', items: items as Expression[], line }, line };
  }

  #subscribed(): Expression | SliceBounds {
    const open = (): boolean => !this.#is(':') && !this.#is(']') && !this.#is(',');
    const begin = this.#is(':') ? undefined : this.#expression();
    if (begin && !this.#is(':')) return begin;
    this.#take();
    const end = open() ? this.#expression() : undefined;
    const step = this.#skip(':') && open() ? this.#expression() : undefined;
    return { bounds: { begin, end, step } };
  }

  #call(of: Expression): Expression {
    const { line } = this.#now;
    return { kind: 'call', of, args: this.#arguments(), line };
  }

  #arguments(): Arguments {
    const args = noArguments();
    const ensure = (allowed: boolean): void => {
      if (!allowed) this.#fail('invalid syntax for function call expression');
    };
    this.#expect('(');
    for (let isFirst = true; !this.#is(')'); isFirst = false) {
      if (!isFirst) {
        this.#expect(',');
        if (this.#is(')')) break;
      }
      const after = this.#tokens[this.#next + 1];
      if (this.#skip('*')) {
        ensure(!args.rest && !args.more);
        args.rest = this.#expression();
      } else if (this.#skip('**')) {
        ensure(!args.more);
        args.more = this.#expression();
      } else if (this.#is('name') && after?.type === '=') {
        ensure(!args.more);
        const name = this.#take().value;
        this.#take();
        if (args.named.some(([other]) => other === name)) this.#fail(`keyword argument repeated: ${name}`);
        args.named.push([name, this.#expression()]);
      } else {
        ensure(!args.rest && !args.more && args.named.length === 0);
        args.positional.push(this.#expression());
      }
    }
    this.#take();
    return args;
  }

  /** Filters of a block, which apply to its text; the first has no `|` if `begins` is true. */
  #blockFilters(begins: boolean): Expression | undefined {
    if (!begins && !this.#is('|')) return undefined;
    const first = begins ? this.#filterCall(undefined) : this.#filter(undefined);
    return this.#chain(first, (so) => (this.#is('|') ? this.#filter(so) : undefined));
  }

  #filter(of: Expression | undefined): Expression {
    this.#expect('|');
    return this.#filterCall(of);
  }

  #filterCall(of: Expression | undefined): Expression {
    const { line } = this.#now;
    const name = this.#known('filter', this.#dottedName());
    const args = this.#is('(') ? this.#arguments() : noArguments();
    return { kind: 'filter', of, name, args, line };
  }

  #known(what: 'filter' | 'test', name: string): string {
    if (!this.#isSoft && !(what === 'filter' ? isFilter(name) : isTest(name))) {
      const problem = `No ${what} named '${name.slice(0, 100)}'`;
      this.#unknown.push(new TemplateFault('syntax', problem, this.#line));
    }
    return name;
  }

  #dottedName(): string {
    let name = this.#expect('name').value;
    while (this.#skip('.')) name += `.${this.#expect('name').value}`;
    return name;
  }

  #test(of: Expression): Expression {
    const { line } = this.#take();
    const negated = this.#skipName('not');
    const name = this.#known('test', this.#dottedName());
    let args = noArguments();
    if (this.#is('(')) args = this.#arguments();
    else if (
      ['name', 'string', 'integer', 'float', '[', '{'].includes(this.#now.type) &&
      !this.#isName('else', 'or', 'and')
    ) {
      if (this.#isName('is')) this.#fail('You cannot chain multiple tests with is');
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
