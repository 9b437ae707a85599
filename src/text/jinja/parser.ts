// Reference: Jinja2, src/jinja2/parser.py.
import type { Expression, Frame, Signature, Statement, Target } from './ast.ts';
import { ExpressionParser } from './expression-parser.ts';
import { unsupported } from './faults.ts';
import { findUnset, namesIn } from './frames.ts';
import { tokenize } from './lexer.ts';
import { Str } from './str.ts';
import { TokenCursor } from './token-cursor.ts';

/** Names that a macro or call block receives without declaring them. */
const IMPLICIT = ['caller', 'kwargs', 'varargs'];
/** Jinja2 statements that need other templates, or that change how text is printed. */
const UNSUPPORTED = ['block', 'extends', 'include', 'import', 'from', 'autoescape'];

/**
 * Parses a template by Jinja2's grammar with loop controls and transformers' generation tag, and reports whether it
 * has that tag. Throws TemplateFault.
 */
export function parse(template: string): { frame: Frame; marksGeneration: boolean } {
  const parser = new Parser(new TokenCursor(tokenize(template)));
  const frame: Frame = { body: parser.template(), unset: [] };
  findUnset(frame);
  return { frame, marksGeneration: parser.marksGeneration };
}

/** Parses statements and the text between them. */
class Parser {
  readonly #tokens: TokenCursor;
  readonly #expressions: ExpressionParser;
  marksGeneration = false;
  /** Enclosing loops that break and continue may end. */
  #loops = 0;
  /** Enclosing for-blocks, including those outside macros: none of them may set `loop`. */
  #forBlocks = 0;

  constructor(tokens: TokenCursor) {
    this.#tokens = tokens;
    this.#expressions = new ExpressionParser(tokens);
  }

  template(): Statement[] {
    const body = this.#statements([]);
    const [unknown] = this.#expressions.unknown;
    if (unknown) {
      throw unknown;
    }
    return body;
  }

  /** Statements up to a tag with one of these names, of which only `{%` is consumed; without names, to the end. */
  #statements(ends: readonly string[]): Statement[] {
    const body: Statement[] = [];
    let output: (Statement & { kind: 'output' }) | undefined;
    const print = (item: Str | Expression, line: number): void => {
      if (!output) {
        body.push((output = { kind: 'output', items: [], line }));
      }
      output.items.push(item);
    };
    while (!this.#tokens.is('end')) {
      const { type, value, line } = this.#tokens.take();
      if (type === 'data') {
        print(Str.of(value), line);
      } else if (type === '{{') {
        print(this.#expressions.tupleOrOne(), line);
        this.#tokens.expect('}}');
      } else {
        output = undefined;
        if (this.#tokens.isName(...ends)) {
          return body;
        }
        body.push(...this.#tokens.nested(() => this.#statement()));
        this.#tokens.expect('%}');
      }
    }
    if (ends.length > 0) {
      this.#tokens.fail(`unexpected end of template, expected ${ends.join(' or ')}`);
    }
    return body;
  }

  #statement(): Statement[] {
    const line = this.#tokens.line;
    if (!this.#tokens.is('name')) {
      this.#tokens.fail('tag name expected');
    }
    const name = this.#tokens.take().value;
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
        return [
          {
            kind: 'filter',
            filter: this.#expressions.blockFilters(true)!,
            frame: this.#body('endfilter'),
            line,
          },
        ];
      case 'with':
        return [this.#with(line)];
      case 'generation':
        this.marksGeneration = true;
        return [{ kind: 'generation', frame: this.#function('endgeneration'), line }];
      case 'print':
        return [this.#print(line)];
      case 'break':
      case 'continue':
        if (this.#loops === 0) {
          this.#tokens.fail(`${name} outside of a loop`);
        }
        return [{ kind: name, line }];
    }
    if (UNSUPPORTED.includes(name)) {
      throw Object.assign(unsupported(`the tag ${name}`), { line });
    }
    this.#tokens.fail(`unknown tag ${JSON.stringify(name.slice(0, 40))}`);
  }

  /** The body of a block with its own variables, including its end tag. */
  #body(end: string): Frame {
    const body = this.#hard(() => this.#until(end));
    this.#tokens.take();
    return { body, unset: [] };
  }

  #hard<T>(read: () => T): T {
    const isSoft = this.#expressions.isSoft;
    this.#expressions.isSoft = false;
    const result = read();
    this.#expressions.isSoft = isSoft;
    return result;
  }

  #until(...ends: string[]): Statement[] {
    this.#tokens.skip(':');
    this.#tokens.expect('%}');
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
    const isSoft = this.#expressions.isSoft;
    this.#expressions.isSoft = true;
    do {
      const test = this.#expressions.tupleOrOne(false);
      branches.push({ test, body: this.#until('elif', 'else', 'endif') });
    } while (this.#tokens.skipName('elif'));
    if (this.#tokens.skipName('else')) {
      otherwise = this.#until('endif');
    }
    this.#tokens.take();
    this.#expressions.isSoft = isSoft;
    return { kind: 'if', branches, otherwise, line };
  }

  #for(line: number): Statement {
    this.#forBlocks++;
    const target = this.#target(() => this.#tokens.isName('in'));
    this.#tokens.expectName('in');
    const over = this.#expressions.tupleOrOne(false, () => this.#tokens.isName('recursive'));
    const test = this.#tokens.skipName('if') ? this.#expressions.expression() : undefined;
    const recursive = this.#tokens.skipName('recursive');
    this.#loops++;
    const body = this.#hard(() => this.#until('endfor', 'else'));
    this.#loops--;
    const otherwise = this.#tokens.skipName('else') ? this.#hard(() => this.#until('endfor')) : undefined;
    this.#forBlocks--;
    this.#tokens.take();
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
    if (this.#tokens.skip('=')) {
      return { kind: 'set', target, value: this.#expressions.tupleOrOne(), line };
    }
    const filter = this.#expressions.blockFilters(false);
    return { kind: 'setBlock', target, filter, frame: this.#body('endset'), line };
  }

  #with(line: number): Statement {
    const targets: Target[] = [];
    const values: Expression[] = [];
    while (!this.#tokens.is('%}') && !this.#tokens.is('end')) {
      if (targets.length > 0) {
        this.#tokens.expect(',');
      }
      targets.push(this.#target(() => false));
      this.#tokens.expect('=');
      values.push(this.#expressions.expression());
    }
    return { kind: 'with', targets, values, frame: this.#body('endwith'), line };
  }

  #macro(line: number): Statement {
    const name = this.#tokens.expect('name').value;
    const parameters = this.#parameters();
    const frame = this.#function('endmacro');
    return { kind: 'macro', name, signature: this.#signature(parameters, frame), frame, line };
  }

  #callBlock(line: number): Statement {
    const parameters = this.#tokens.is('(') ? this.#parameters() : [];
    const call = this.#expressions.expression();
    if (call.kind !== 'call') {
      this.#tokens.fail('expected call');
    }
    const frame = this.#function('endcall');
    return { kind: 'call', call, signature: this.#signature(parameters, frame), frame, line };
  }

  #parameters(): Signature['parameters'] {
    const parameters: Signature['parameters'] = [];
    this.#tokens.expect('(');
    while (!this.#tokens.is(')')) {
      if (parameters.length > 0) {
        this.#tokens.expect(',');
      }
      const name = this.#tokens.expect('name').value;
      const standard = this.#tokens.skip('=') ? this.#expressions.expression() : undefined;
      if (!standard && parameters.at(-1)?.standard) {
        this.#tokens.fail('non-default argument follows default argument');
      }
      if (name === 'caller' && !standard) {
        this.#tokens.fail('the parameter caller needs a default');
      }
      parameters.push({ name, standard });
    }
    this.#tokens.take();
    return parameters;
  }

  #signature(parameters: Signature['parameters'], frame: Frame): Signature {
    const read = namesIn(frame.body);
    const declared = parameters.map(({ name }) => name);
    return { parameters, implicit: new Set(IMPLICIT.filter((n) => read.has(n) && !declared.includes(n))) };
  }

  #print(line: number): Statement {
    const items: Expression[] = [];
    while (!this.#tokens.is('%}') && !this.#tokens.is('end')) {
      if (items.length > 0) {
        this.#tokens.expect(',');
      }
      items.push(this.#expressions.expression());
    }
    return { kind: 'output', items, line };
  }

  /** An assignment's target. `withAttributes` allows attributes of namespaces. */
  #target(ends: () => boolean, withAttributes = false): Target {
    const items: Target[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0 && isTuple && (ends() || this.#expressions.atTupleEnd())) {
        break;
      }
      items.push(this.#oneTarget(withAttributes));
      if (!this.#tokens.skip(',')) {
        break;
      }
      isTuple = true;
    }
    return isTuple ? { kind: 'tuple', items } : items[0]!;
  }

  #oneTarget(withAttributes: boolean): Target {
    if (this.#tokens.skip('(')) {
      // Inside brackets Jinja parses an expression, in which attributes are not valid targets.
      const inner = this.#tokens.nested(() => this.#target(() => false));
      this.#tokens.expect(')');
      return inner;
    }
    const name = this.#tokens.expect('name').value;
    if (['true', 'false', 'none', 'True', 'False', 'None'].includes(name)) {
      this.#tokens.fail(`can't assign to ${name}`);
    }
    if (withAttributes && this.#tokens.skip('.')) {
      return { kind: 'attribute', of: name, name: this.#tokens.expect('name').value };
    }
    if (name === 'loop' && this.#forBlocks > 0) {
      this.#tokens.fail("can't assign to special loop variable");
    }
    return { kind: 'name', name };
  }
}
