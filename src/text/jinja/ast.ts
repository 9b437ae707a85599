import type { Str } from './str.ts';

/** Arguments of a call, filter or test: `f(a, k=b, *rest, **more)`. */
export interface Arguments {
  positional: Expression[];
  named: [name: string, value: Expression][];
  rest: Expression | undefined;
  more: Expression | undefined;
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';
export type ComparisonOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';

export type Expression = { line: number } & (
  | { kind: 'string'; value: Str }
  | { kind: 'integer'; value: bigint }
  | { kind: 'float'; value: number }
  | { kind: 'constant'; value: boolean | null }
  | { kind: 'name'; name: string }
  | { kind: 'list' | 'tuple'; items: Expression[] }
  | { kind: 'dict'; pairs: [key: Expression, value: Expression][] }
  | { kind: 'unary'; operator: '+' | '-' | 'not'; of: Expression }
  | { kind: 'binary'; operator: BinaryOperator; left: Expression; right: Expression }
  | { kind: 'and' | 'or'; left: Expression; right: Expression }
  | { kind: 'concat'; items: Expression[] }
  | { kind: 'compare'; first: Expression; rest: [operator: ComparisonOperator, right: Expression][] }
  | { kind: 'if'; test: Expression; yes: Expression; no: Expression | undefined }
  | { kind: 'attribute'; of: Expression; name: string }
  | { kind: 'item'; of: Expression; index: Expression }
  | {
      kind: 'slice';
      of: Expression;
      begin: Expression | undefined;
      end: Expression | undefined;
      step: Expression | undefined;
    }
  | { kind: 'call'; of: Expression; args: Arguments }
  /** `of` is absent in filters of a block: they apply to its text. */
  | { kind: 'filter'; of: Expression | undefined; name: string; args: Arguments }
  | { kind: 'test'; of: Expression; name: string; args: Arguments }
);

/** An assignment's target: a name, an attribute of a namespace, or several of these. */
export type Target =
  | { kind: 'name'; name: string }
  | { kind: 'attribute'; of: string; name: string }
  | { kind: 'tuple'; items: Target[] };

/** Statements with their own variables. */
export interface Frame {
  body: Statement[];
  /**
   * Names that the frame sets before it, or a macro it calls, could read them: until then they are undefined,
   * whatever an outer variable holds.
   */
  unset: string[];
}

/** The parameters of a macro or of a call block's body. */
export interface Signature {
  parameters: { name: string; standard: Expression | undefined }[];
  /** Which of `caller`, `kwargs` and `varargs` the body reads without declaring it. */
  implicit: ReadonlySet<string>;
}

export type Statement = { line: number } &
  /** Literal text, and expressions whose str is printed. */
  (
    | { kind: 'output'; items: (Str | Expression)[] }
    | { kind: 'if'; branches: { test: Expression; body: Statement[] }[]; otherwise: Statement[] }
    | {
        kind: 'for';
        target: Target;
        over: Expression;
        test: Expression | undefined;
        recursive: boolean;
        frame: Frame;
        otherwise: Frame | undefined;
      }
    | { kind: 'set'; target: Target; value: Expression }
    | { kind: 'setBlock'; target: Target; filter: Expression | undefined; frame: Frame }
    | { kind: 'filter'; filter: Expression; frame: Frame }
    | { kind: 'with'; targets: Target[]; values: Expression[]; frame: Frame }
    | { kind: 'macro'; name: string; signature: Signature; frame: Frame }
    | { kind: 'call'; call: Expression & { kind: 'call' }; signature: Signature; frame: Frame }
    | { kind: 'generation'; frame: Frame }
    | { kind: 'break' | 'continue' }
  );
