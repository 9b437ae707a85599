import { Template } from '@huggingface/jinja';
import { NumberText } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';
import { Disguise, mark, takeMarks } from './disguise.ts';
import type { JsonMap } from './row-fields.ts';
import { encodeSpans, sharedStart, type Span, type Tokens } from './spans.ts';
import type { TextTokenizer } from './tokenizer.ts';

/**
 * One turn of a conversation, in the order of its keys: `role`, `content` (a text; null or absent where a turn only
 * calls tools) and what else the row says of it (`tool_calls`, `reasoning_content`, …).
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

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);

/** The library's strftime_now writes the user's language. (`{{ '' }}` keeps a newline that begins the template.) */
const OWN_CLOCK = "{% set strftime_now = english_strftime %}{{ '' }}";

/**
 * A model's chat template. Ids equal those of Python's `apply_chat_template(tokenize=True)`, but control tokens that
 * are spelled out in a message stay ordinary text. Every error is a UserError that does not yet name file and line.
 */
export class ChatTemplate {
  private readonly tokenizer: TextTokenizer;
  private readonly disguise: Disguise;
  private readonly template: Template;
  private readonly now: Date;
  /** What the template writes to open an assistant's turn, and to close it. */
  private readonly header: string;
  private readonly tail: string;

  /** `now` is the date for templates that write it. Throws UserError where the model has no usable template. */
  constructor(tokenizer: TextTokenizer, now = new Date()) {
    if (tokenizer.chatTemplate === undefined) {
      throw new UserError(
        'the base model has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json), which chat rows need; add the template of its instruct version, or use rows of the form {"text"}',
      );
    }
    this.tokenizer = tokenizer;
    this.disguise = new Disguise(tokenizer.added);
    this.now = now;
    try {
      this.template = new Template(OWN_CLOCK + tokenizer.chatTemplate);
    } catch (error) {
      throw new UserError(`the chat template of the base model cannot be read: ${reason(error)}`);
    }
    const question = new Map([
      ['role', 'user'],
      ['content', 'x'],
    ]);
    const answer = new Map([
      ['role', 'assistant'],
      ['content', mark('y', 0)],
    ]);
    const asked = this.render([question], false);
    const opened = this.render([question], true);
    this.header = opened.startsWith(asked) ? opened.slice(asked.length) : '';
    const { text, ends } = takeMarks(this.render([question, answer], false));
    this.tail = text.slice(ends.get(0) ?? text.length);
  }

  /** Control tokens that were spelled out in what was encoded so far, and stayed text. */
  get spelledOut(): number {
    return this.disguise.hidden;
  }

  /** Ids of a prompt: the conversation so far and the opening of the assistant's turn. */
  prompt(conversation: Conversation): number[] {
    const hidden = this.disguise.hideAll(conversation.messages) as Message[];
    const text = this.render(hidden, true, this.hiddenRest(conversation));
    return encodeSpans(this.tokenizer, this.disguise, text, []).ids;
  }

  /**
   * Ids and trained tokens of a conversation. Of each assistant's turn whose index `trains` accepts, these are
   * trained: all that the model has to write after the turn's opening, its end token and the newline after that.
   */
  encode(conversation: Conversation, trains: (index: number) => boolean): Tokens {
    const { text, spans } = this.layOut(conversation, trains);
    return encodeSpans(this.tokenizer, this.disguise, text, spans);
  }

  private layOut(
    conversation: Conversation,
    trains: (index: number) => boolean,
  ): { text: string; spans: Span[] } {
    const hidden = this.disguise.hideAll(conversation.messages) as Message[];
    const rest = this.hiddenRest(conversation);
    const text = this.render(hidden, false, rest);
    const turns = [...hidden.keys()].filter((i) => hidden[i]!.get('role') === 'assistant');
    if (!turns.some(trains)) return { text, spans: [] };
    // Templates that trim a text do not reach white space inside the marks: then the marks go further in.
    for (const place of [markWhole, markCore]) {
      const marked = hidden.map((m, i) =>
        turns.includes(i)
          ? new Map([...m, ['content', place((m.get('content') as string | null) ?? '', i)]])
          : m,
      );
      const found = takeMarks(this.render(marked, false, rest));
      if (found.text !== text || !turns.every((i) => found.ends.has(i))) continue;
      return { text, spans: this.turnSpans(found, turns).filter((_, n) => trains(turns[n]!)) };
    }
    throw new UserError(
      'the chat template of the base model rewrites or drops what the assistant says, so that the trained tokens cannot be told; use rows of the form {"text"}, or mend the template',
    );
  }

  /** The trained part of every assistant's turn, in order. */
  private turnSpans({ text, begins, ends }: ReturnType<typeof takeMarks>, turns: number[]): Span[] {
    let from = 0;
    return turns.map((turn) => {
      const close = ends.get(turn)!;
      const open = begins.get(turn) ?? close;
      // What stands between the header and the message (Qwen3's empty thoughts) has to be generated too.
      const header = this.header ? text.slice(from, open).lastIndexOf(this.header) : -1;
      if (header < 0 && !begins.has(turn)) {
        throw new UserError(
          'the chat template of the base model hides where an assistant’s turn begins; use rows of the form {"text"}',
        );
      }
      const begin = header < 0 ? open : from + header + this.header.length;
      let end = close + sharedStart(text.slice(close), this.tail);
      if (end === close && this.tail) {
        // A tool call, or white space that the marks left outside, stands before the turn's end.
        const at = text.indexOf(this.tail, close);
        if (at >= 0) end = at + this.tail.length;
      }
      from = close;
      return { begin, end };
    });
  }

  /** What goes to the template beside the turns. */
  private hiddenRest({ tools, kwargs }: Conversation): Omit<Conversation, 'messages'> {
    const rest: Omit<Conversation, 'messages'> = { tools: this.disguise.hideAll(tools) };
    if (kwargs) rest.kwargs = this.disguise.hideAll(kwargs) as JsonMap;
    return rest;
  }

  private render(
    messages: readonly Message[],
    addGenerationPrompt: boolean,
    { tools = null, kwargs = new Map() }: Omit<Conversation, 'messages'> = {},
  ): string {
    const { bos, eos, pad, unk } = this.tokenizer.named;
    const named = { bos_token: bos, eos_token: eos, pad_token: pad, unk_token: unk };
    try {
      return this.template.render({
        ...(plain(kwargs) as Record<string, unknown>),
        messages: plain(messages),
        tools: plain(tools),
        documents: null,
        add_generation_prompt: addGenerationPrompt,
        english_strftime: (format: string) => strftime(this.now, format),
        ...Object.fromEntries(
          Object.entries(named).flatMap(([k, token]) => (token ? [[k, token.content]] : [])),
        ),
      });
    } catch (error) {
      throw new UserError(`the chat template of the base model refuses this: ${reason(error)}`);
    }
  }
}

/** Throws UserError where the model in `folder` has a chat template that cannot be read or that no chat can use. */
export function checkChatTemplate(tokenizer: TextTokenizer, folder: string): void {
  if (tokenizer.chatTemplate === undefined) return;
  try {
    new ChatTemplate(tokenizer);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      `${folder}: ${error.message}; take chat_template.jinja or tokenizer_config.json, whichever holds it, from the base model's repository again.`,
    );
  }
}

/** A value as the template library takes it. */
function plain(value: unknown): unknown {
  if (value instanceof NumberText) return value.toJSON();
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...(value as JsonMap)].map(([key, entry]) => [key, plain(entry)]));
}

function markWhole(content: string, index: number): string {
  return mark(content, index);
}

function markCore(content: string, index: number): string {
  const core = content.trim();
  const at = content.indexOf(core);
  return content.slice(0, at) + mark(core, index) + content.slice(at + core.length);
}

/** Python's strftime in the C locale, as far as chat templates use it. */
function strftime(date: Date, format: string): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const month = MONTHS[date.getMonth()]!;
  const parts: Record<string, string> = {
    '%Y': String(date.getFullYear()),
    '%m': two(date.getMonth() + 1),
    '%d': two(date.getDate()),
    '%B': month,
    '%b': month.slice(0, 3),
    '%H': two(date.getHours()),
    '%M': two(date.getMinutes()),
    '%S': two(date.getSeconds()),
    '%%': '%',
  };
  return format.replace(/%[a-zA-Z%]/g, (directive) => parts[directive] ?? directive);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
