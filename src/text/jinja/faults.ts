/** Why a template cannot be parsed, or a conversation not rendered by it. */
type FaultKind =
  /** The template is not valid Jinja. */
  | 'syntax'
  /** Python would raise an error here, or the template raises one itself. */
  | 'error'
  /** Supported by Python, but not by this interpreter. */
  | 'unsupported'
  /** More work, text or nesting than any real template needs. */
  | 'limit';

/** An error of a template; `message` says what, without a full stop. */
export class TemplateFault extends Error {
  override readonly name = 'TemplateFault';
  readonly kind: FaultKind;
  /** Line of the template, from 1; 0 while unknown. */
  line: number;

  constructor(kind: FaultKind, message: string, line = 0) {
    super(message);
    this.kind = kind;
    this.line = line;
  }
}

/** An error that Python would raise. */
export const raised = (message: string): TemplateFault => new TemplateFault('error', message);

export const unsupported = (what: string): TemplateFault =>
  new TemplateFault('unsupported', `it uses ${what}, which Retune does not know`);
