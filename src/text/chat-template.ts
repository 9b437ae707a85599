import { UserError } from '../formats/user-error.ts';
import { ChatRenderer, type Conversation, type Message, TemplateRefusal } from './chat-render.ts';
import { TEMPLATE_FILE, templateFor } from './chat-template-files.ts';
import type { Rendered } from './jinja/template.ts';
import { type LeftOut, leftOut } from './left-out.ts';
import { type Moment, wallClock } from './moment.ts';
import { PrintedParts } from './parts.ts';
import type { Span } from './span.ts';
import { encodeSpans, type Tokens } from './spans.ts';
import { SpecialTokenEscaping } from './special-token-escaping.ts';
import type { TextTokenizer } from './tokenizer.ts';
import { type TurnFrame, turnSpan } from './turn-spans.ts';

export type { Conversation, Message } from './chat-render.ts';

/** A conversation's tokens; nothing is trained if the template leaves out what training would need. */
interface EncodedChat extends Tokens {
  leftOut: LeftOut;
}

/**
 * A model's chat template. Ids equal those of Python's `apply_chat_template(tokenize=True)`, except that control
 * tokens spelled out in a message stay ordinary text. Throws UserErrors that do not yet name a row's file and line.
 */
export class ChatTemplate {
  readonly #tokenizer: TextTokenizer;
  readonly #escaping: SpecialTokenEscaping;
  readonly #moment: Moment;
  readonly #renderers = new Map<string, ChatRenderer>();
  readonly #frames = new Map<string, TurnFrame>();

  /** `moment` is for templates that write the date. Throws UserError if the model has no usable template. */
  constructor(tokenizer: TextTokenizer, moment: Moment = wallClock()) {
    this.#tokenizer = tokenizer;
    this.#escaping = new SpecialTokenEscaping(tokenizer.added);
    this.#moment = moment;
    if (tokenizer.templates.byName.size === 0) {
      throw new UserError(
        `the base model has no chat template (${TEMPLATE_FILE}, or chat_template in tokenizer_config.json), which chat rows need; add the template of its instruct version, or use rows of the form {"text"}`,
      );
    }
    // An invalid template is reported at once, not at the first row.
    if (templateFor(tokenizer.templates, false)) {
      this.#renderer({ messages: [] });
    }
  }

  /** Number of control tokens that were spelled out in texts encoded so far, and stayed text. */
  get spelledOut(): number {
    return this.#escaping.hidden;
  }

  /** Ids of a prompt: the conversation so far and the opening of the assistant's turn. */
  prompt(conversation: Conversation): number[] {
    const rendered = this.#renderer(conversation).render(conversation, true);
    return this.#encode(rendered, []).ids;
  }

  /**
   * Ids and trained tokens of a conversation. Of each assistant's turn whose index `trains` accepts, everything
   * that the model has to write is trained: all after the turn's opening, its end token and the newline after it;
   * or what the template marks by generation blocks, if it has any.
   */
  encode(conversation: Conversation, trains: (index: number) => boolean): EncodedChat {
    const renderer = this.#renderer(conversation);
    const rendered = renderer.render(conversation, false);
    const printed = new PrintedParts(rendered);
    const left = leftOut(conversation, rendered, printed, trains, (other, addGenerationPrompt) =>
      this.#tried(other, addGenerationPrompt),
    );
    const turns = [...conversation.messages.keys()].filter(
      (i) => conversation.messages[i]!.get('role') === 'assistant',
    );
    const spans = (): Span[] => {
      if (left.needed !== undefined || !turns.some(trains)) {
        return [];
      }
      return renderer.marksGeneration
        ? generations(rendered, turns, trains)
        : this.#turnSpans(conversation, rendered, printed, turns).filter((_, n) => trains(turns[n]!));
    };
    return { ...this.#encode(rendered, spans()), leftOut: left };
  }

  #encode({ text, origins }: Rendered, spans: readonly Span[]): Tokens {
    const hidden = this.#escaping.hideForeign(text, origins, spans);
    return encodeSpans(this.#tokenizer, this.#escaping, hidden.text, hidden.spans);
  }

  /** The trained part of every assistant's turn, in order. */
  #turnSpans(
    conversation: Conversation,
    rendered: Rendered,
    printed: PrintedParts,
    turns: readonly number[],
  ): Span[] {
    const { messages } = conversation;
    const frame = this.#frame(conversation);
    const part = (end: number, addGenerationPrompt: boolean): string | undefined =>
      end === 0
        ? undefined
        : this.#tried({ ...conversation, messages: messages.slice(0, end) }, addGenerationPrompt);
    let previousEnd = 0;
    const spans = turns.map((turn) => {
      const search = {
        rendered,
        turn,
        own: printed.ofTurn(turn),
        frame,
        before: (addGenerationPrompt: boolean) => part(turn, addGenerationPrompt),
        through: () => part(turn + 1, false),
        cuts: (opening: string) => this.#cuts(opening),
      };
      const span = turnSpan(search, previousEnd);
      previousEnd = span?.end ?? previousEnd;
      return span;
    });
    if (spans.every((span) => span !== undefined)) {
      return spans;
    }
    throw new UserError(
      'the chat template of the base model rewrites or drops what the assistant says, so that the trained tokens cannot be told; use rows of the form {"text"}, or mend the template',
    );
  }

  /** The conversation's text; undefined if the template refuses it. */
  #tried(conversation: Conversation, addGenerationPrompt: boolean): string | undefined {
    try {
      return this.#renderer(conversation).render(conversation, addGenerationPrompt).text;
    } catch (error) {
      if (error instanceof UserError) {
        return undefined;
      }
      throw error;
    }
  }

  /** The template for a conversation. Throws UserError if there is none, or it is invalid. */
  #renderer({ tools }: Conversation): ChatRenderer {
    const { templates } = this.#tokenizer;
    const withTools = tools !== undefined && tools !== null;
    const source = templateFor(templates, withTools);
    if (!source) {
      throw new UserError(
        'the base model has chat templates, but none for conversations without tools; add its chat_template.jinja',
      );
    }
    let renderer = this.#renderers.get(source.text);
    if (!renderer) {
      renderer = new ChatRenderer(source, templates.tokens, this.#moment);
      this.#renderers.set(source.text, renderer);
    }
    return renderer;
  }

  /** The text around an assistant's turn, with the arguments and template of a conversation. */
  #frame({ tools, kwargs = new Map() }: Conversation): TurnFrame {
    const withTools = tools !== undefined && tools !== null;
    const key = JSON.stringify([withTools, ...kwargs], (_, value: unknown) =>
      value instanceof Map ? [...(value as Map<unknown, unknown>)] : value,
    );
    let frame = this.#frames.get(key);
    if (!frame) {
      // A conversation with tools uses its own template, but the tools themselves would only lengthen the probe.
      const renderer = this.#renderer({ messages: [], tools });
      try {
        frame = frameOf(renderer, kwargs);
      } catch (error) {
        if (!(error instanceof TemplateRefusal)) {
          throw error;
        }
        // It refuses a bare question and answer: then the turns' positions must suffice.
        frame = { opening: '', closing: '' };
      }
      this.#frames.set(key, frame);
    }
    return frame;
  }

  #cuts(opening: string): number[] {
    return [
      ...this.#tokenizer.added.endsIn(opening),
      ...[...opening.matchAll(/\n/g)].map(({ index }) => index + 1),
    ];
  }
}

/** The text that the template writes around an answer to a question. */
function frameOf(renderer: ChatRenderer, kwargs: NonNullable<Conversation['kwargs']>): TurnFrame {
  const turn = (role: string, content: string): Message =>
    new Map([
      ['role', role],
      ['content', content],
    ]);
  const question = turn('user', 'x');
  const asked = renderer.render({ messages: [question], kwargs }, false).text;
  const opened = renderer.render({ messages: [question], kwargs }, true).text;
  const rendered = renderer.render({ messages: [question, turn('assistant', 'y')], kwargs }, false);
  const { text, visits } = rendered;
  const answer = new PrintedParts(rendered).ofTurn(1);
  // If a finished conversation ends differently, what precedes an answer tells.
  const visit = visits.find(({ number }) => number === 1);
  const written = visit ? text.slice(visit.begin, Math.max(visit.begin, answer?.begin ?? 0)) : '';
  return {
    opening: opened.startsWith(asked) ? opened.slice(asked.length) : written,
    closing: text.slice(answer?.end ?? 0),
  };
}

/** Spans of the template's generation blocks; the loop over the turns tells which turn one belongs to. */
function generations(
  { generations, visits, hiddenGeneration }: Rendered,
  turns: readonly number[],
  trains: (index: number) => boolean,
): Span[] {
  if (hiddenGeneration) {
    throw new UserError(
      'the chat template has a generation block in a macro or in a text that it captures, where transformers marks the wrong tokens; move it out of there',
    );
  }
  if (turns.every(trains)) {
    return [...generations];
  }
  return generations.filter(({ begin, end }) => {
    const around = visits.filter((visit) => visit.begin <= begin && end <= visit.end);
    if (around.length === 1) {
      return trains(around[0]!.number);
    }
    throw new UserError(
      'the chat template has a generation block outside of the loop over the turns, so that turns cannot be left out of training one by one; remove "weight" and "train" from the turns',
    );
  });
}

/** Throws UserError if the model has a chat template that is invalid or that no chat can use. */
export function checkChatTemplate({ templates }: TextTokenizer): void {
  try {
    for (const source of templates.byName.values()) {
      frameOf(new ChatRenderer(source, templates.tokens, wallClock()), new Map());
    }
  } catch (error) {
    if (error instanceof TemplateRefusal) {
      throw new UserError(
        `${error.where}: the chat template refuses even a question and its answer: ${error.what}; take the file from the base model's repository again.`,
      );
    }
    if (error instanceof UserError) {
      throw new UserError(`${error.message}.`);
    }
    throw error;
  }
}
