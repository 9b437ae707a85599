import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import type { TemplateSource } from './chat-template-files.ts';
import { TemplateFault } from './jinja/faults.ts';
import { Str } from './jinja/str.ts';
import { Template } from './jinja/template.ts';
import { Dict, fromJson, str, type Value } from './jinja/values.ts';
import { fieldsOf, type Moment } from './moment.ts';
import { PartList, type RenderedChat } from './parts.ts';
import type { JsonMap } from './row-fields.ts';

/**
 * One turn of a conversation, its keys in order: `role`, `content` (a text or a list of parts; null or absent if
 * the turn only calls tools) and whatever else the row has (`tool_calls`, `reasoning_content`, …).
 */
export type Message = JsonMap;

/** Objects in it are `Map`s, numbers `NumberText`. */
export interface Conversation {
  messages: readonly Message[];
  /** Function signatures for templates that support tools. */
  tools?: unknown;
  /** Further arguments of the template, such as `enable_thinking`. */
  kwargs?: JsonMap;
  /** The place of each turn in its row, for messages; by default `messages[0]`, …. */
  places?: readonly string[];
}

/** Allowed roles. A role counts as the template's own text, because templates form control tokens from it. */
const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'];

/** Keys under which a turn's thoughts are passed; templates read the first. */
export const REASONING = ['reasoning_content', 'thinking', 'reasoning'];

/** Template arguments that a row cannot set. */
const OWN_ARGUMENTS = ['messages', 'conversation', 'tools', 'chat_template', 'add_generation_prompt'];

/**
 * Renders conversations with one template, as transformers does. Throws UserErrors that do not yet name file and
 * line.
 */
export class ChatRenderer {
  readonly #template: Template;
  readonly #file: string;
  readonly #tokens: ReadonlyMap<string, string>;
  readonly #now: Date;
  #takesParts: boolean | undefined;

  /** `tokens`: those the template can refer to by name. Throws UserError if it is not a valid template. */
  constructor({ text, file }: TemplateSource, tokens: ReadonlyMap<string, string>, moment: Moment) {
    this.#file = file;
    this.#tokens = tokens;
    this.#now = fieldsOf(moment);
    this.#template = this.#named(() => new Template(text));
  }

  /** Whether the template marks the trained parts by generation blocks. */
  get marksGeneration(): boolean {
    return this.#template.marksGeneration;
  }

  render(conversation: Conversation, addGenerationPrompt: boolean): RenderedChat {
    const { messages } = conversation;
    let refusal: unknown;
    // transformers passes an empty text for absent content. Templates that fail on it are given null, then nothing
    // at all.
    for (const content of [undefined, null, ''] as const) {
      try {
        return this.#named(() => this.#renderOnce(conversation, addGenerationPrompt, content));
      } catch (error) {
        refusal ??= error;
        const silent = messages.some((message) => isSilent(message));
        if (!silent || !(error instanceof TemplateRefusal)) {
          break;
        }
      }
    }
    throw refusal;
  }

  #renderOnce(
    conversation: Conversation,
    addGenerationPrompt: boolean,
    content: '' | null | undefined,
  ): RenderedChat {
    const { messages, tools, kwargs } = conversation;
    const list = new PartList();
    const variables = this.#variables(conversation, addGenerationPrompt, list);
    const turns = messages.map((message, i) => this.#turn(message, i, content, list));
    const size = sizeOf(messages) + sizeOf(tools) + sizeOf(kwargs);
    const { parts } = list;
    return { ...this.#template.render({ messages: turns, variables, now: this.#now, size }), parts };
  }

  #variables(
    { tools, kwargs = new Map() }: Conversation,
    addGenerationPrompt: boolean,
    list: PartList,
  ): Map<string, Value> {
    const variables = new Map<string, Value>();
    for (const [name, token] of this.#tokens) {
      variables.set(name, str(token));
    }
    variables.set('tools', fromJson(tools, list.add(['tools'], tools)));
    variables.set('documents', null);
    variables.set('add_generation_prompt', addGenerationPrompt);
    for (const [name, value] of kwargs) {
      if (OWN_ARGUMENTS.includes(name)) {
        throw new UserError(`chat_template_kwargs.${name} is no argument that a row can give; remove it`);
      }
      variables.set(name, fromJson(value, list.add(['kwargs', name], value)));
    }
    return variables;
  }

  /** A turn without null keys, with its thoughts under the names that templates read. */
  #turn(message: Message, number: number, content: '' | null | undefined, list: PartList): Dict {
    const turn = new Dict();
    const thoughts = REASONING.find((key) => (message.get(key) ?? undefined) !== undefined);
    if (thoughts !== undefined && !message.has('thinking')) {
      turn.set(str('thinking'), null);
    }
    let reasoning: Value = null;
    for (const [key, value] of message) {
      if (value === null) {
        continue;
      }
      if (key === 'role' && isRole(value)) {
        turn.set(str(key), str(value));
        continue;
      }
      const path = ['messages', number, key];
      const calls = key === 'tool_calls' && Array.isArray(value) && value.length > 0;
      const origin = calls ? 0 : list.add(path, key === 'content' ? (textOfParts(value) ?? value) : value);
      const given = calls ? callsOf(value, path, list) : this.#value(key, value, origin);
      turn.set(Str.of(key, origin), given);
      if (key === thoughts) {
        reasoning = given;
      }
    }
    if (thoughts !== undefined) {
      if (!message.has('thinking')) {
        turn.set(str('thinking'), reasoning);
      }
      turn.set(str('reasoning_content'), reasoning);
    }
    if (content !== undefined && isSilent(message)) {
      turn.set(str('content'), fromJson(content, 0));
    }
    return turn;
  }

  /** Parts of a content are joined for a template that expects a string. */
  #value(key: string, value: unknown, origin: number): Value {
    const text = key === 'content' ? textOfParts(value) : undefined;
    return fromJson(text !== undefined && !this.#expectsParts ? text : value, origin);
  }

  /** Whether the template prints a content of one part as it prints the text itself. */
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
      const variables = this.#variables({ messages: [] }, false, new PartList());
      try {
        return this.#template.render({ messages: [turn], variables, now: this.#now, size: 0 }).text;
      } catch (error) {
        if (error instanceof TemplateFault) {
          return undefined;
        }
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

  /** Turns template errors into messages that name the template's file. */
  #named<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof TemplateFault)) {
        throw error;
      }
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

/** The template, or Python, would raise an error for this conversation. */
export class TemplateRefusal extends UserError {
  /** In the template's own words. */
  override readonly what: string;
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

/** Whether this is an assistant's turn without content, such as one that only calls tools. */
const isSilent = (message: Message): boolean =>
  message.get('role') === 'assistant' && (message.get('content') ?? undefined) === undefined;

const isRole = (role: unknown): role is string => typeof role === 'string' && ROLES.includes(role);

/** The texts of parts of type text, joined; undefined if there are others, or no parts. */
function textOfParts(parts: unknown): string | undefined {
  if (!Array.isArray(parts)) {
    return undefined;
  }
  const texts = parts.map((part) => {
    if (!(part instanceof Map) || (part.get('type') ?? 'text') !== 'text') {
      return undefined;
    }
    const text: unknown = part.get('text');
    return typeof text === 'string' ? text : undefined;
  });
  return texts.every((text) => text !== undefined) ? texts.join('') : undefined;
}

/** Tool calls whose name, arguments and other keys are separate parts. */
function callsOf(calls: readonly unknown[], path: readonly (string | number)[], list: PartList): Value {
  const dict = (fields: JsonMap, at: readonly (string | number)[]): Dict =>
    new Dict(
      [...fields].map(([key, value]): [Value, Value] => {
        const here = [...at, key];
        if (key === 'function' && value instanceof Map) {
          return [str(key), dict(value as JsonMap, here)];
        }
        const origin = list.add(here, value);
        return [Str.of(key, origin), fromJson(value, origin)];
      }),
    );
  return calls.map((call, i) =>
    call instanceof Map ? dict(call as JsonMap, [...path, i]) : fromJson(call, list.add([...path, i], call)),
  );
}

/** Total characters of all texts in a value, plus an allowance for each of its parts. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') {
    return value.length + 1;
  }
  if (Array.isArray(value)) {
    return value.reduce((sum: number, item) => sum + sizeOf(item), 1);
  }
  if (!(value instanceof Map)) {
    return 1;
  }
  let size = 1;
  for (const [key, item] of value as JsonMap) {
    size += key.length + sizeOf(item);
  }
  return size;
}
