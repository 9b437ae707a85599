// Reference: HF tokenizers, tokenizers/src/tokenizer/mod.rs and tokenizers/src/models/bpe/model.rs.
import { SequenceNormalizer, type Tokenizer } from '@huggingface/tokenizers';
import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { showCount } from '../formats/words.ts';
import { type AddedToken, AddedTokens, type Hiding, type Recognize } from './added-tokens.ts';
import { type Bounds, textProblem } from './bound-pipeline.ts';
import { type ChatTemplates, NO_TEMPLATES } from './chat-template-files.ts';
import { DecodeStream } from './decode-stream.ts';
import { splitHidden, splitNormal } from './normalized-tokens.ts';

/** The tokens named in tokenizer_config.json, with their ids; undefined if the model has none. */
interface NamedTokens {
  bos: AddedToken | undefined;
  eos: AddedToken | undefined;
  pad: AddedToken | undefined;
  unk: AddedToken | undefined;
}

/** Limits of the word cache: some ten megabytes at most. */
const MAX_WORDS = 100_000;
const LONGEST_WORD = 64;

/** The library allocates half a kilobyte for each character of a word. */
const MAX_WORD = 2 ** 20;

/** The parts of a tokenizer besides its added tokens. */
interface TokenizerParts {
  pipeline: Tokenizer;
  bounds: Bounds;
  /** The name of tokenizer.json, for messages. */
  file: string;
  /** Rows of the model's embedding. */
  tableRows: number;
  /** What Python does otherwise with the same files, one sentence each. */
  notes: readonly string[];
}

/** A model's tokenizer: Hugging Face's pipeline; added tokens are handled here. */
export class TextTokenizer {
  readonly added: AddedTokens;
  readonly named: NamedTokens;
  /** One more than the largest id; the model's embedding may have more rows (padding). */
  readonly vocabSize: number;
  readonly templates: ChatTemplates;
  /** Ids that the model's post-processor puts before a text, such as Llama's `<|begin_of_text|>`. */
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  /** What Python does otherwise with the same files, one sentence each. */
  readonly notes: readonly string[];
  private readonly pipeline: Tokenizer;
  private readonly bounds: Bounds;
  private readonly file: string;
  private readonly tableRows: number;
  private readonly words = new Map<string, readonly number[]>();

  /** The pipeline must have been created without added tokens, so that it never sees one. See `loadTokenizer`. */
  constructor(
    { pipeline, bounds, file, tableRows, notes }: TokenizerParts,
    added: readonly AddedToken[],
    named: NamedTokens,
    templates: ChatTemplates = NO_TEMPLATES,
  ) {
    this.pipeline = pipeline;
    this.bounds = bounds;
    this.file = file;
    this.tableRows = tableRows;
    this.notes = notes;
    const { normalizer } = pipeline;
    const leavesAll = normalizer instanceof SequenceNormalizer && normalizer.normalizers.length === 0;
    this.added = new AddedTokens(added, normalizer && !leavesAll ? (text) => normalizer(text) : undefined);
    this.named = named;
    this.templates = templates;
    this.vocabSize = added.reduce((size, { id }) => Math.max(size, id + 1), pipeline.model!.vocab.length);
    const probe = '\u0000';
    const framed = pipeline.post_processor?.([probe], null, true).tokens ?? [probe];
    const at = framed.indexOf(probe);
    const idsOf = (tokens: string[]): number[] => tokens.map((t) => this.idOf(t)!);
    this.prefix = idsOf(framed.slice(0, at));
    this.suffix = idsOf(framed.slice(at + 1));
    const past = [...this.prefix, ...this.suffix].find((id) => id >= tableRows);
    if (past === undefined) {
      return;
    }
    const { message } = this.pastTable(
      framed.find((token) => this.idOf(token) === past)!,
      past,
    );
    throw new UserError(`${message}.`);
  }

  get eosId(): number | undefined {
    return this.named.eos?.id;
  }

  get padId(): number | undefined {
    return this.named.pad?.id;
  }

  /** The id of a token's exact text, including added tokens. */
  idOf(token: string): number | undefined {
    return this.added.byContent.get(token)?.id ?? this.pipeline.token_to_id(token);
  }

  /**
   * Ids of text from a user: `<|im_end|>` and the like are encoded as ordinary characters. Equal to Python's
   * `tok(text, add_special_tokens=False, split_special_tokens=True)`. Throws UserError.
   */
  encode(text: string): number[] {
    return this.ids(text, 'ordinary');
  }

  /**
   * Ids of trusted text with control tokens recognized: Python's `tok(text, add_special_tokens=False)`. Throws
   * UserError.
   */
  encodeScaffold(text: string): number[] {
    return this.ids(text, 'all');
  }

  /**
   * Ids of text between added tokens (see `AddedTokens.split`); `first` says whether it begins the whole text.
   * Control tokens escaped in it (see `SpecialTokenEscaping`) stay text.
   */
  encodePlain(text: string, first: boolean, recognize: Recognize = 'all', hiding?: Hiding): number[] {
    return this.guarded(text, () => this.pieceIds(text, first, recognize, hiding));
  }

  /** The id of an added token in a text. Throws UserError if the embedding has no row for it. */
  addedId({ id, content }: AddedToken): number {
    if (id >= this.tableRows) {
      throw this.pastTable(content, id);
    }
    return id;
  }

  private pieceIds(text: string, first: boolean, recognize: Recognize, hiding?: Hiding): number[] {
    const { normalizer } = this.pipeline;
    const normalize = (part: string): string => (normalizer ? normalizer(part) : part);
    if (!this.added.looksInNormalized) {
      return this.normalIds(normalize(hiding ? hiding.reveal(text) : text), first);
    }
    const { stretches, normal } = hiding
      ? splitHidden(this.added, text, normalize, hiding)
      : splitNormal(this.added, normalize(text), recognize);
    return stretches.flatMap(({ begin, end, token }) =>
      token ? [this.addedId(token)] : this.normalIds(normal.slice(begin, end), first && begin === 0),
    );
  }

  private normalIds(normal: string, first: boolean): number[] {
    const { pre_tokenizer: preTokenizer } = this.pipeline;
    if (normal === '') {
      return [];
    }
    const words = preTokenizer ? preTokenizer(normal, { section_index: first ? 0 : 1 }) : [normal];
    const ids: number[] = [];
    for (const word of words) {
      if (word.length > MAX_WORD) {
        throw new UserError(
          `${this.file} leaves a text of ${showCount(word.length)} characters in one piece, expected at most ${showCount(MAX_WORD)}; cut the text into several`,
        );
      }
    }
    for (const word of words) {
      for (const id of this.wordIds(word)) {
        ids.push(id);
      }
    }
    return ids;
  }

  /** The text of the ids. Ids outside the vocabulary have none; `skipSpecial` drops the control tokens. */
  decode(ids: ArrayLike<number>, { skipSpecial = false } = {}): string {
    let text = '';
    let run: number[] = [];
    const flush = (): void => {
      const tokens = run;
      if (tokens.length > 0) {
        text += this.guarded('', () => this.pipeline.decode(tokens, { clean_up_tokenization_spaces: false }));
      }
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

  /**
   * Ids of one pre-token, cached; the library's own cache maintains an order of use, which costs more than it
   * saves.
   */
  private wordIds(word: string): readonly number[] {
    const known = this.words.get(word);
    if (known) {
      return known;
    }
    const ids = this.pipeline.model!([word])
      .map((token) => this.idOf(token))
      .filter((id) => id !== undefined);
    const past = ids.find((id) => id >= this.tableRows);
    if (past !== undefined) {
      throw this.pastTable(this.pipeline.id_to_token(past) ?? '', past);
    }
    if (this.words.size === MAX_WORDS) {
      this.words.clear();
    }
    if (word.length <= LONGEST_WORD) {
      this.words.set(word, ids);
    }
    return ids;
  }

  /** Runs the library on a text; whatever it throws becomes a UserError that does not name file and line. */
  private guarded<T>(text: string, work: () => T): T {
    this.bounds.begin(text);
    try {
      return work();
    } catch (error) {
      if (error instanceof UserError) {
        throw error;
      }
      const why = textProblem(error) ?? `it fails on a text: ${(error as Error).message}`;
      throw new UserError(
        `${this.file} cannot be used on this (${why}); take it from the base model's repository again, or shorten the text`,
      );
    }
  }

  private pastTable(token: string, id: number): UserError {
    return new UserError(
      `the token ${quote(token)} has the id ${id} by ${this.file}, but the model's embedding has ${this.tableRows} rows; leave the token out, or take the tokenizer that belongs to the weights`,
    );
  }

  private ids(text: string, recognize: Recognize): number[] {
    return this.added
      .split(text, recognize)
      .flatMap(({ begin, end, token }) =>
        token ? [this.addedId(token)] : this.encodePlain(text.slice(begin, end), begin === 0, recognize),
      );
  }
}
