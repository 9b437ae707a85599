import type { Tokenizer } from '@huggingface/tokenizers';
import { AddedTokens, type AddedToken, type Recognise } from './added-tokens.ts';
import { DecodeStream } from './decode-stream.ts';

/** The tokens that tokenizer_config.json names, with their ids; undefined where the model has none. */
export interface NamedTokens {
  bos: AddedToken | undefined;
  eos: AddedToken | undefined;
  pad: AddedToken | undefined;
  unk: AddedToken | undefined;
}

/** Bounds of the cache of words: some ten megabytes at most. */
const MOST_WORDS = 100_000;
const LONGEST_WORD = 64;

/** A model's tokenizer: Hugging Face's pipeline, with the added tokens kept in our own hands. */
export class TextTokenizer {
  readonly added: AddedTokens;
  readonly named: NamedTokens;
  /** One more than the largest id; the model's embedding may have more rows (padding). */
  readonly vocabSize: number;
  /** The text of the model's chat template, if it has one. */
  readonly chatTemplate: string | undefined;
  /** Ids that the model's post-processor puts around a text, such as Llama's `<|begin_of_text|>`. */
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  private readonly pipeline: Tokenizer;
  private readonly words = new Map<string, readonly number[]>();

  /** `pipeline` must have been made without added tokens, so that it never sees one. See `loadTokenizer`. */
  constructor(
    pipeline: Tokenizer,
    added: readonly AddedToken[],
    named: NamedTokens,
    chatTemplate: string | undefined,
  ) {
    this.pipeline = pipeline;
    this.added = new AddedTokens(added);
    this.named = named;
    this.chatTemplate = chatTemplate;
    this.vocabSize = added.reduce((size, { id }) => Math.max(size, id + 1), pipeline.model!.vocab.length);
    const probe = '\u0000';
    const framed = pipeline.post_processor?.([probe], null, true).tokens ?? [probe];
    const at = framed.indexOf(probe);
    const idsOf = (tokens: string[]): number[] => tokens.map((t) => this.idOf(t)!);
    this.prefix = idsOf(framed.slice(0, at));
    this.suffix = idsOf(framed.slice(at + 1));
  }

  get eosId(): number | undefined {
    return this.named.eos?.id;
  }

  get padId(): number | undefined {
    return this.named.pad?.id;
  }

  /** The id of a token's exact text, added tokens included. */
  idOf(token: string): number | undefined {
    return this.added.byContent.get(token)?.id ?? this.pipeline.token_to_id(token);
  }

  /**
   * Ids of text that comes from a user: `<|im_end|>` and its like are spelled out as ordinary characters. Equal to
   * Python's `tok(text, add_special_tokens=False, split_special_tokens=True)`.
   */
  encode(text: string): number[] {
    return this.ids(text, 'ordinary');
  }

  /** Ids of trusted text, control tokens recognised: Python's `tok(text, add_special_tokens=False)`. */
  encodeScaffold(text: string): number[] {
    return this.ids(text, 'all');
  }

  /** Ids of text between added tokens; `first` says whether it begins the whole text. */
  encodePlain(text: string, first: boolean): number[] {
    const { normalizer, pre_tokenizer: preTokenizer } = this.pipeline;
    const normal = normalizer ? normalizer(text) : text;
    if (normal === '') return [];
    const words = preTokenizer ? preTokenizer(normal, { section_index: first ? 0 : 1 }) : [normal];
    const ids: number[] = [];
    for (const word of words) for (const id of this.wordIds(word)) ids.push(id);
    return ids;
  }

  /** Text of the ids. Ids outside the vocabulary have none; `skipSpecial` drops the control tokens. */
  decode(ids: ArrayLike<number>, { skipSpecial = false } = {}): string {
    let text = '';
    let run: number[] = [];
    const flush = (): void => {
      if (run.length > 0) text += this.pipeline.decode(run, { clean_up_tokenization_spaces: false });
      run = [];
    };
    for (const id of Array.from(ids)) {
      const token = this.added.byId.get(id);
      if (token && !(token.special && skipSpecial)) {
        flush();
        text += token.content;
      } else if (!token && this.pipeline.id_to_token(id) !== undefined) {
        run.push(id);
      }
    }
    flush();
    return text;
  }

  /** Decodes ids one by one as they are generated. */
  stream(options: { skipSpecial?: boolean } = {}): DecodeStream {
    return new DecodeStream((ids) => this.decode(ids, options));
  }

  /** Ids of one pre-token; the library's own cache keeps an order of use, which costs more than it saves. */
  private wordIds(word: string): readonly number[] {
    const known = this.words.get(word);
    if (known) return known;
    const ids = this.pipeline.model!([word])
      .map((token) => this.idOf(token))
      .filter((id) => id !== undefined);
    if (this.words.size === MOST_WORDS) this.words.clear();
    if (word.length <= LONGEST_WORD) this.words.set(word, ids);
    return ids;
  }

  private ids(text: string, recognise: Recognise): number[] {
    return this.added
      .split(text, recognise)
      .flatMap(({ begin, end, token }) =>
        token ? [token.id] : this.encodePlain(text.slice(begin, end), begin === 0),
      );
  }
}
