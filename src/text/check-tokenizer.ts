import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { showCount } from '../formats/words.ts';
import { BEHAVIORS } from './pre-tokenizers.ts';

type JsonObject = Record<string, unknown>;

/** Larger than any model's ids; more would require a table of gigabytes. */
const MAX_ID = 2 ** 24 - 1;
/** Maximum steps of one kind, including nested ones. */
const MAX_STEPS = 64;
export const MAX_ADDED = 20_000;
/** Maximum characters of an added token, or of a text that a step writes. */
export const MAX_TOKEN_TEXT = 1000;
const AGAIN = "download it from the base model's repository again";

/** A step's keys and their expected values. */
type Rule = (value: unknown) => string | undefined;

const text: Rule = (value) =>
  typeof value === 'string' && value.length <= MAX_TOKEN_TEXT
    ? undefined
    : `a text of at most ${showCount(MAX_TOKEN_TEXT)} characters`;
const character: Rule = (value) =>
  typeof value === 'string' && [...value].length === 1 ? undefined : 'one character';
const flag: Rule = (value) => (typeof value === 'boolean' ? undefined : 'true or false');
const whole =
  (min: number): Rule =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= min ? undefined : `a whole number from ${min} on`;
const choice =
  (...choices: unknown[]): Rule =>
  (value) =>
    choices.includes(value) ? undefined : choices.map((one) => JSON.stringify(one)).join(' or ');
const optional =
  (rule: Rule): Rule =>
  (value) =>
    value === undefined || value === null ? undefined : rule(value);
const pattern: Rule = (value) =>
  isObject(value) &&
  Object.keys(value).length === 1 &&
  ['Regex', 'String'].some((kind) => typeof value[kind] === 'string')
    ? undefined
    : '{"Regex": "…"} or {"String": "…"}';
const pair: Rule = (value) =>
  Array.isArray(value) &&
  value.length === 2 &&
  typeof value[0] === 'string' &&
  whole(0)(value[1]) === undefined
    ? undefined
    : 'a token and its id';

/** The supported types of each step, by name in tokenizer.json; those under `list` contain others of their kind. */
const KINDS: Readonly<
  Record<string, { list: string; types: Readonly<Record<string, Record<string, Rule>>> }>
> = {
  normalizer: {
    list: 'normalizers',
    types: {
      BertNormalizer: {
        clean_text: flag,
        handle_chinese_chars: flag,
        strip_accents: optional(flag),
        lowercase: flag,
      },
      Replace: { pattern, content: text },
      NFC: {},
      NFD: {},
      NFKC: {},
      NFKD: {},
      Strip: { strip_left: flag, strip_right: flag },
      StripAccents: {},
      Lowercase: {},
      Prepend: { prepend: text },
    },
  },
  pre_tokenizer: {
    list: 'pretokenizers',
    types: {
      BertPreTokenizer: {},
      Whitespace: {},
      WhitespaceSplit: {},
      Metaspace: {
        replacement: optional(character),
        prepend_scheme: optional(choice('always', 'first', 'never')),
        add_prefix_space: optional(flag),
        split: optional(flag),
      },
      ByteLevel: { add_prefix_space: optional(flag), use_regex: optional(flag) },
      Split: { pattern, behavior: choice(...BEHAVIORS), invert: optional(flag) },
      Punctuation: { behavior: optional(choice(...BEHAVIORS)) },
      Digits: { individual_digits: optional(flag) },
      FixedLength: { length: whole(1) },
    },
  },
  post_processor: {
    list: 'processors',
    types: {
      TemplateProcessing: {},
      ByteLevel: {},
      BertProcessing: { sep: pair, cls: pair },
      RobertaProcessing: { sep: pair, cls: pair },
    },
  },
  decoder: {
    list: 'decoders',
    types: {
      ByteLevel: {},
      WordPiece: { prefix: text, cleanup: flag },
      Metaspace: { replacement: optional(character) },
      BPEDecoder: { suffix: optional(text) },
      CTC: { pad_token: text, word_delimiter_token: text, cleanup: flag },
      Replace: { pattern, content: text },
      Fuse: {},
      Strip: { content: character, start: whole(0), stop: whole(0) },
      ByteFallback: {},
    },
  },
};

/** Steps of the tokenizers library that are not supported. */
const UNSUPPORTED: Readonly<Record<string, readonly string[]>> = {
  normalizer: ['Nmt', 'Precompiled', 'ByteLevel'],
  pre_tokenizer: ['UnicodeScripts', 'CharDelimiterSplit'],
};

/** Settings of a BPE model in the tokenizers library that are not supported, with the supported values. */
const SUPPORTED_SETTINGS: Readonly<Record<string, readonly unknown[]>> = {
  dropout: [0, null, undefined],
  continuing_subword_prefix: ['', null, undefined],
};

/**
 * Checks a tokenizer.json of a BPE model before anything is created from it: ids are integers, distinct and of one
 * token each, merges and the post-processor name existing tokens, and every step is of a known type. Throws
 * UserError naming the key.
 */
export function checkTokenizer(json: JsonObject, file: string): void {
  new Check(json, file).run();
}

class Check {
  readonly #json: JsonObject;
  readonly #file: string;
  readonly #ids = new Map<string, number>();
  readonly #tokens = new Map<number, string>();
  #steps = 0;

  constructor(json: JsonObject, file: string) {
    this.#json = json;
    this.#file = file;
  }

  run(): void {
    this.#checkModel();
    this.#checkAdded();
    const { unk_token: unknown } = this.#json['model'] as JsonObject;
    if (unknown !== undefined && unknown !== null) {
      this.#checkNamed('model.unk_token', unknown);
    }
    for (const kind of Object.keys(KINDS)) {
      this.#checkStep(kind, this.#json[kind], kind);
    }
  }

  #refuse(key: string, found: unknown, expected: string): never {
    throw new UserError(`${this.#file}: ${key} is ${quote(found)}, expected ${expected}; ${AGAIN}.`);
  }

  #checkModel(): void {
    const model = this.#json['model'] as JsonObject;
    const { vocab, merges } = model;
    if (!isObject(vocab)) {
      return this.#refuse('model.vocab', vocab, 'tokens and their ids');
    }
    for (const [token, id] of Object.entries(vocab)) {
      this.#addToken(token, id, 'model.vocab');
    }
    for (const [key, supported] of Object.entries(SUPPORTED_SETTINGS)) {
      if (!supported.includes(model[key])) {
        throw new UserError(
          `${this.#file}: model.${key} is ${quote(model[key])}, which Retune does not support (only ${quote(supported[0])}); use a base model with another tokenizer.`,
        );
      }
    }
    for (const [key, rule] of Object.entries({
      end_of_word_suffix: optional(text),
      byte_fallback: optional(flag),
      ignore_merges: optional(flag),
      fuse_unk: optional(flag),
    })) {
      const expected = rule(model[key]);
      if (expected !== undefined) {
        this.#refuse(`model.${key}`, model[key], expected);
      }
    }
    if (!Array.isArray(merges)) {
      return this.#refuse('model.merges', merges, 'a list of pairs of tokens');
    }
    for (const [i, merge] of merges.entries()) {
      this.#checkMerge(merge, `model.merges[${i}]`, typeof merges[0]);
    }
  }

  #checkMerge(merge: unknown, key: string, type: string): void {
    const parts: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    const isPair =
      Array.isArray(parts) && parts.length === 2 && parts.every((part) => typeof part === 'string');
    if (!isPair || typeof merge !== type) {
      return this.#refuse(key, merge, 'a pair of tokens');
    }
    const [left, right] = parts as [string, string];
    for (const token of [left, right, left + right]) {
      if (!this.#ids.has(token)) {
        throw new UserError(
          `${this.#file}: ${key} needs the token ${quote(token)}, which model.vocab does not have; ${AGAIN}.`,
        );
      }
    }
  }

  #checkAdded(): void {
    const list = this.#json['added_tokens'] ?? [];
    if (!Array.isArray(list)) {
      throw new UserError(`${this.#file}: added_tokens is not a list; download the file again.`);
    }
    if (list.length > MAX_ADDED) {
      throw new UserError(
        `${this.#file}: added_tokens has ${showCount(list.length)} entries, expected at most ${showCount(MAX_ADDED)}; ${AGAIN}.`,
      );
    }
    for (const [i, entry] of list.entries()) {
      const { id, content, ...rest } = isObject(entry) ? entry : ({} as JsonObject);
      if (id === undefined || typeof content !== 'string') {
        throw new UserError(
          `${this.#file}: added_tokens[${i}] has no "id" (a whole number) or no "content" (a text); download the file again.`,
        );
      }
      const key = `added_tokens[${i}]`;
      const expected = text(content);
      if (expected !== undefined || content === '') {
        this.#refuse(`${key}.content`, content, expected ?? 'a text');
      }
      for (const name of ['special', 'lstrip', 'rstrip', 'normalized', 'single_word']) {
        const wrong = optional(flag)(rest[name]);
        if (wrong !== undefined) {
          this.#refuse(`${key}.${name}`, rest[name], wrong);
        }
      }
      this.#addToken(content, id, key);
    }
  }

  /** A token may be both in the vocabulary and among the added ones, with the same id. */
  #addToken(token: string, id: unknown, key: string): void {
    const about = `${this.#file}: ${key} gives the token ${quote(token)} the id ${quote(id)}`;
    if (!Number.isSafeInteger(id) || Object.is(id, -0) || (id as number) < 0 || (id as number) > MAX_ID) {
      throw new UserError(`${about}, expected a whole number from 0 to ${showCount(MAX_ID)}; ${AGAIN}.`);
    }
    const own = this.#ids.get(token);
    if (own !== undefined && own !== id) {
      throw new UserError(`${about}, but it has the id ${own} already; ${AGAIN}.`);
    }
    const other = this.#tokens.get(id as number);
    if (other !== undefined && other !== token) {
      throw new UserError(`${about}, which is that of the token ${quote(other)}; ${AGAIN}.`);
    }
    this.#ids.set(token, id as number);
    this.#tokens.set(id as number, token);
  }

  #checkNamed(key: string, token: unknown): void {
    if (typeof token !== 'string') {
      this.#refuse(key, token, 'a token');
    } else if (!this.#ids.has(token)) {
      throw new UserError(`${this.#file}: ${key} is ${quote(token)}, a token that is not there; ${AGAIN}.`);
    }
  }

  #checkStep(kind: string, step: unknown, key: string): void {
    if (step === undefined || step === null) {
      return;
    }
    if (++this.#steps > MAX_STEPS) {
      throw new UserError(`${this.#file}: it has more than ${MAX_STEPS} steps, expected a few; ${AGAIN}.`);
    }
    const { list, types } = KINDS[kind]!;
    if (!isObject(step)) {
      return this.#refuse(key, step, 'an object with a type');
    }
    const { type } = step;
    if (type === 'Sequence') {
      const steps = step[list];
      if (!Array.isArray(steps)) {
        return this.#refuse(`${key}.${list}`, steps, 'a list of steps');
      }
      for (const [i, inner] of steps.entries()) {
        if (inner === null) {
          this.#refuse(`${key}.${list}[${i}]`, inner, 'an object with a type');
        }
        this.#checkStep(kind, inner, `${key}.${list}[${i}]`);
      }
      return;
    }
    if (typeof type === 'string' && UNSUPPORTED[kind]?.includes(type)) {
      throw new UserError(
        `${this.#file}: ${key}.type is ${quote(type)}, which Retune does not support; use a base model with another tokenizer.`,
      );
    }
    if (typeof type !== 'string' || !Object.hasOwn(types, type)) {
      return this.#refuse(`${key}.type`, type, `one of ${['Sequence', ...Object.keys(types)].join(', ')}`);
    }
    for (const [name, rule] of Object.entries(types[type]!)) {
      const expected = rule(step[name]);
      if (expected !== undefined) {
        this.#refuse(`${key}.${name}`, step[name], expected);
      }
    }
    if (type === 'TemplateProcessing') {
      for (const template of ['single', 'pair']) {
        this.#checkTemplate(step[template], `${key}.${template}`);
      }
    } else if (type === 'Metaspace' && kind === 'pre_tokenizer' && step['add_prefix_space'] === false) {
      const expected = optional(choice('never'))(step['prepend_scheme']);
      if (expected !== undefined) {
        this.#refuse(
          `${key}.prepend_scheme`,
          step['prepend_scheme'],
          `${expected} beside add_prefix_space: false`,
        );
      }
    } else if (kind === 'post_processor' && type !== 'ByteLevel') {
      for (const end of ['sep', 'cls']) {
        this.#checkNamed(`${key}.${end}`, (step[end] as unknown[])[0]);
      }
    }
  }

  #checkTemplate(template: unknown, key: string): void {
    if (!Array.isArray(template) || template.length > MAX_STEPS) {
      return this.#refuse(key, template, `a list of at most ${MAX_STEPS} pieces`);
    }
    for (const [i, piece] of template.entries()) {
      const [[name, value] = ['', undefined], ...more] = isObject(piece) ? Object.entries(piece) : [];
      const { id } = isObject(value) ? value : ({} as JsonObject);
      if (more.length > 0 || !['SpecialToken', 'Sequence'].includes(name)) {
        this.#refuse(`${key}[${i}]`, piece, '{"SpecialToken": …} or {"Sequence": …}');
      }
      if (name === 'SpecialToken') {
        this.#checkNamed(`${key}[${i}].SpecialToken.id`, id);
      } else if (id !== 'A' && (id !== 'B' || key.endsWith('single'))) {
        this.#refuse(`${key}[${i}].Sequence.id`, id, key.endsWith('single') ? '"A"' : '"A" or "B"');
      }
    }
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
