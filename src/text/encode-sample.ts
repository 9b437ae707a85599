import { ChatTemplate } from './chat-template.ts';
import { type LeftOut, NOTHING_LEFT_OUT } from './left-out.ts';
import { type Moment, wallClock } from './moment.ts';
import type { Sample } from './row-formats.ts';
import { encodeSpans, type Tokens } from './spans.ts';
import { SpecialTokenEscaping } from './special-token-escaping.ts';
import type { TextTokenizer } from './tokenizer.ts';

interface EncodedSample extends Tokens {
  leftOut: LeftOut;
}

/** Encodes samples as ids with their trained tokens. */
export class SampleEncoder {
  private readonly tokenizer: TextTokenizer;
  private readonly moment: Moment;
  private readonly escaping: SpecialTokenEscaping;
  private chat: ChatTemplate | undefined;

  /** `moment`: the date for a chat template that writes one. */
  constructor(tokenizer: TextTokenizer, moment: Moment = wallClock()) {
    this.tokenizer = tokenizer;
    this.moment = moment;
    this.escaping = new SpecialTokenEscaping(tokenizer.added);
  }

  /** Throws UserError, without file and line, if the chat template refuses the sample. */
  encode(sample: Sample): EncodedSample {
    switch (sample.kind) {
      case 'text':
        return { ...this.text(sample.text), leftOut: NOTHING_LEFT_OUT };
      case 'completion':
        return { ...this.completion(sample.prompt, sample.completion), leftOut: NOTHING_LEFT_OUT };
      case 'chat': {
        // Only chat rows need the template: a base model without one still accepts the others.
        this.chat ??= new ChatTemplate(this.tokenizer, this.moment);
        return this.chat.encode(sample.conversation, (turn) => sample.trained[turn] === true);
      }
    }
  }

  /** Number of control tokens that chat turns, prompts and completions spelled out so far, and that stayed text. */
  get spelledOut(): number {
    return this.escaping.hidden + (this.chat?.spelledOut ?? 0);
  }

  /**
   * A text row is used as it is: control tokens spelled out in it are its author's markup and are recognized, as
   * Python's `tok(text)` does, and no end token is added. Every token is trained.
   */
  private text(text: string): Tokens {
    const { prefix, suffix } = this.tokenizer;
    const ids = [...prefix, ...this.tokenizer.encodeScaffold(text), ...suffix];
    return { ids, trained: ids.map(() => 1) };
  }

  /**
   * Prompt and completion are encoded as one text; the completion and the end token after it are trained. As in
   * TRL, the end token is added unless the completion already ends with it.
   */
  private completion(prompt: string, completion: string): Tokens {
    const { prefix, suffix, named } = this.tokenizer;
    const eos = named.eos?.content ?? '';
    const body = eos && completion.endsWith(eos) ? completion.slice(0, -eos.length) : completion;
    const before = this.escaping.hide(prompt);
    const text = before + this.escaping.hide(body) + eos;
    const { ids, trained } = encodeSpans(this.tokenizer, this.escaping, text, [
      { begin: before.length, end: text.length },
    ]);
    return {
      ids: [...prefix, ...ids, ...suffix],
      trained: [...prefix.map(() => 0), ...trained, ...suffix.map(() => 1)],
    };
  }
}
