import type { Frame } from './ast.ts';
import { globalsOf } from './globals.ts';
import { Interpreter } from './interpreter.ts';
import { Meter } from './meter.ts';
import { Tracks, type Printed } from './output.ts';
import { parse } from './parser.ts';
import type { Dict, Value } from './values.ts';

/** What a template is rendered with. */
export interface RenderInput {
  /** The turns; where loops over them print is noted. */
  messages: readonly Dict[];
  /** Further variables, by which globals such as `range` are replaced. */
  variables: ReadonlyMap<string, Value>;
  /** The moment that strftime_now writes, by its UTC fields. */
  now: Date;
  /** Characters of the conversation, which the limits grow with. */
  size: number;
}

export interface Rendered {
  text: string;
  /** Where each UTF-16 unit of the text comes from (see `Str`); undefined where all of it is the template's. */
  origins: string | undefined;
  /** What the turns of loops over the messages printed, by the message's number. */
  visits: readonly (Printed & { number: number })[];
  /** What generation blocks printed; `hidden` where one stood in a macro. */
  generations: readonly Printed[];
  hiddenGeneration: boolean;
}

/**
 * A chat template in Jinja2 as transformers runs it: ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks, loop
 * controls, its tojson, raise_exception and strftime_now, and the generation tag. Everything throws TemplateFault.
 */
export class Template {
  readonly #frame: Frame;
  /** The template has generation blocks. */
  readonly marksGeneration: boolean;

  constructor(source: string) {
    const { frame, marksGeneration } = parse(source);
    this.#frame = frame;
    this.marksGeneration = marksGeneration;
  }

  render({ messages, variables, now, size }: RenderInput): Rendered {
    const meter = new Meter(size);
    const tracks = new Tracks(messages);
    const all = new Map([...globalsOf(now, meter), ...variables, ['messages', [...messages]] as const]);
    const text = new Interpreter(meter, tracks).run(this.#frame, all);
    const { visits, generations, hiddenGeneration } = tracks;
    return { text: text.text, origins: text.origins, visits, generations, hiddenGeneration };
  }
}
