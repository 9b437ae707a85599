// References: Jinja2, src/jinja2/sandbox.py; transformers, src/transformers/utils/chat_template_utils.py.
import type { Frame } from './ast.ts';
import { globalsOf } from './globals.ts';
import { Interpreter } from './interpreter.ts';
import { Meter } from './meter.ts';
import { type Printed, Tracks } from './output.ts';
import { parse } from './parser.ts';
import type { Dict, Value } from './values.ts';

/** Inputs of a rendering. */
interface RenderInput {
  /** The turns; what loops over them print is recorded. */
  messages: readonly Dict[];
  /** Further variables, which replace globals such as `range`. */
  variables: ReadonlyMap<string, Value>;
  /** The time that strftime_now writes, by its UTC fields. */
  now: Date;
  /** Characters of the conversation, with which the limits grow. */
  size: number;
}

export interface Rendered {
  text: string;
  /** The origin of each UTF-16 unit of the text (see `Str`); undefined if all of it is the template's. */
  origins: string | undefined;
  /** What the iterations of loops over the messages printed, by message index. */
  visits: readonly (Printed & { number: number })[];
  /** What generation blocks printed; `hidden` if one occurred in a macro. */
  generations: readonly Printed[];
  hiddenGeneration: boolean;
}

/**
 * A chat template in Jinja2 as transformers runs it: ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks,
 * loop controls, its tojson, raise_exception and strftime_now, and the generation tag. Every method throws
 * TemplateFault.
 */
export class Template {
  readonly #frame: Frame;
  /** Whether the template has generation blocks. */
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
