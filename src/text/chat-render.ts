import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import type { TemplateSource } from './chat-template-files.ts';
import { TemplateFault } from './jinja/faults.ts';
import { Str } from './jinja/str.ts';
import { Template, type Rendered } from './jinja/template.ts';
import { Dict, fromJson, str, type Value } from './jinja/values.ts';
import { fieldsOf, type Moment } from './moment.ts';
import type { JsonMap } from './row-fields.ts';

/**
 * One turn of a conversation, in the order of its keys: `role`, `content` (a text, or a list of parts; null or absent where
 * a turn only calls tools) and what else the row says of it (`tool_calls`, `reasoning_content`, …).
 */
export type Message = JsonMap;

/** Objects in it are `Map`s, numbers `NumberText`. */
export interface Conversation {
  messages: readonly Message[];
  /** Function signatures for templates that know tools. */
  tools?: unknown;
  /** Further arguments of the template, such as `enable_thinking`. */
  kwargs?: JsonMap;
}

/** Origins of characters (see `Str`): tools and arguments, then the turns one after the other. */
const GIVEN = 1;
const FIRST_TURN = 2;
const MAX_TURNS = 60_000;

/** The origin of characters that come from a turn, by its number. */
export const originOf = (turn: number): number => FIRST_TURN + turn;

/** A role counts as the template's own text, since templates make control tokens of it: it must be one of these. */
const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'];

/** Names under which a turn's thoughts are passed; the first is what templates read. */
const REASONING = ['reasoning_content', 'thinking', 'reasoning'];

/** Arguments of a template that are not the row's to give. */
const OWN_ARGUMENTS = ['messages', 'conversation', 'tools', 'chat_template', 'add_generation_prompt'];

/** Renders conversations with one template, as transformers does. Errors are UserErrors that do not yet name file and line. */
export class ChatRenderer {
  readonly #template: Template;
  readonly #file: string;
  readonly #tokens: ReadonlyMap<string, string>;
  readonly #now: Date;
  #takesParts: boolean | undefined;

  /** `tokens`: those that the template knows by name. Throws UserError where it is no template. */
  constructor({ text, file }: TemplateSource, tokens: ReadonlyMap<string, string>, moment: Moment) {
    this.#file = file;
    this.#tokens = tokens;
    this.#now = fieldsOf(moment);
    this.#template = this.#named(() => new Template(text));
  }

  /** The template marks what is trained by generation blocks. */
  get marksGeneration(): boolean {
    return this.#template.marksGeneration;
  }

  render(conversation: Conversation, addGenerationPrompt: boolean): Rendered {
    const { messages } = conversation;
    if (messages.length > MAX_TURNS) {
      throw new UserError(
        `the conversation has ${messages.length} turns, expected at most ${MAX_TURNS}; cut it into several rows`,
      );
    }
    const variables = this.#variables(conversation, addGenerationPrompt);
    let refusal: unknown;
    // An absent content is what transformers gives for null. Templates that fail on that are given null, then nothing said.
    for (const content of [undefined, null, ''] as const) {
      try {
        return this.#named(() => this.#renderOnce(conversation, variables, content));
      } catch (error) {
        refusal ??= error;
        const silent = messages.some((message) => isSilent(message));
        if (!silent || !(error instanceof TemplateRefusal)) break;
      }
    }
    throw refusal;
  }

  #renderOnce(
    { messages, tools, kwargs }: Conversation,
    variables: ReadonlyMap<string, Value>,
    content: '' | null | undefined,
  ): Rendered {
    const turns = messages.map((message, i) => this.#turn(message, originOf(i), content));
    const size = sizeOf(messages) + sizeOf(tools) + sizeOf(kwargs);
    return this.#template.render({ messages: turns, variables, now: this.#now, size });
  }

  #variables({ tools, kwargs = new Map() }: Conversation, addGenerationPrompt: boolean): Map<string, Value> {
    const variables = new Map<string, Value>();
    for (const [name, token] of this.#tokens) variables.set(name, str(token));
    variables.set('tools', fromJson(tools, GIVEN));
    variables.set('documents', null);
    variables.set('add_generation_prompt', addGenerationPrompt);
    for (const [name, value] of kwargs) {
      if (OWN_ARGUMENTS.includes(name))
        throw new UserError(`chat_template_kwargs.${name} is no argument that a row can give; remove it`);
      variables.set(name, fromJson(value, GIVEN));
    }
    return variables;
  }

  /** A turn without keys that are null, and its thoughts under the names that templates know. */
  #turn(message: Message, origin: number, content: '' | null | undefined): Dict {
    const turn = new Dict();
    const reasoning = REASONING.map((key) => message.get(key)).find(
      (value) => (value ?? undefined) !== undefined,
    );
    if (reasoning !== undefined && !message.has('thinking'))
      turn.set(str('thinking'), fromJson(reasoning, origin));
    for (const [key, value] of message) {
      if (value === null) continue;
      turn.set(Str.of(key, origin), key === 'role' ? roleOf(value, origin) : this.#value(key, value, origin));
    }
    if (reasoning !== undefined) turn.set(str('reasoning_content'), fromJson(reasoning, origin));
    if (content !== undefined && isSilent(message)) turn.set(str('content'), fromJson(content, origin));
    return turn;
  }

  /** Parts of a content are joined for a template that expects a text. */
  #value(key: string, value: unknown, origin: number): Value {
    const texts = key === 'content' && Array.isArray(value) ? textsOf(value) : undefined;
    return fromJson(texts && !this.#expectsParts ? texts.join('') : value, origin);
  }

  /** The template prints a content of one part as it prints the text itself. */
  get #expectsParts(): boolean {
    this.#takesParts ??= this.#printsParts();
    return this.#takesParts;
  }

  #printsParts(): boolean {
    const ask = (content: Value): string | undefined => {
      const turn = new Dict([
        [str('role'), str('user')],
        [str('content'), content],
      ]);
      const variables = this.#variables({ messages: [] }, false);
      try {
        return this.#template.render({ messages: [turn], variables, now: this.#now, size: 0 }).text;
      } catch (error) {
        if (error instanceof TemplateFault) return undefined;
        throw error;
      }
    };
    const part = new Dict([
      [str('type'), str('text')],
      [str('text'), str('x')],
    ]);
    const parts = ask([part]);
    return parts !== undefined && (ask(str('x')) ?? parts) === parts;
  }

  /** Turns faults of the template into sentences that name its file. */
  #named<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      const where = `${this.#file}${error.line > 0 ? `, line ${error.line}` : ''}`;
      const what = quote(error.message).slice(1, -1).replaceAll('\\"', '"');
      switch (error.kind) {
        case 'syntax':
          throw new UserError(
            `${where}: the chat template cannot be read: ${what}; take the file from the base model's repository again`,
          );
        case 'limit':
          throw new UserError(
            `${where}: the chat template is refused: ${what}; take the file from the base model's repository again`,
          );
        case 'unsupported':
          throw new UserError(
            `${where}: the chat template cannot be followed: ${what}; write that part otherwise, or use rows of the form {"text"}`,
          );
        case 'error':
          throw new TemplateRefusal(what, where);
      }
    }
  }
}

/** The template itself, or Python, would raise an error on this conversation. */
export class TemplateRefusal extends UserError {
  readonly what: string;
  /** File and line of the template. */
  readonly where: string;

  constructor(what: string, where: string) {
    super(
      `the chat template of the base model refuses this: ${what} (${where}); change the conversation, or the template`,
    );
    this.what = what;
    this.where = where;
  }
}

/** An assistant's turn without content, as one has that only calls tools. */
const isSilent = (message: Message): boolean =>
  message.get('role') === 'assistant' && (message.get('content') ?? undefined) === undefined;

function roleOf(role: unknown, origin: number): Value {
  return typeof role === 'string' && ROLES.includes(role) ? str(role) : fromJson(role, origin);
}

/** The texts of parts of the kind text; undefined where there are others. */
function textsOf(parts: readonly unknown[]): string[] | undefined {
  const texts = parts.map((part) => {
    if (!(part instanceof Map) || (part.get('type') ?? 'text') !== 'text') return undefined;
    const text: unknown = part.get('text');
    return typeof text === 'string' ? text : undefined;
  });
  return texts.every((text) => text !== undefined) ? texts : undefined;
}

/** Characters of all texts in a value, and something for each of its parts. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 1;
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + sizeOf(item), 1);
  if (!(value instanceof Map)) return 1;
  let size = 1;
  for (const [key, item] of value as JsonMap) size += key.length + sizeOf(item);
  return size;
}
