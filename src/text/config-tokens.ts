// Reference: transformers 5.24, src/transformers/tokenization_utils_tokenizers.py (TokenizersBackend).
import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { showCount } from '../formats/words.ts';
import type { AddedToken } from './added-tokens.ts';
import { MAX_ADDED, MAX_TOKEN_TEXT } from './check-tokenizer.ts';

type JsonObject = Readonly<Record<string, unknown>>;
/** A token without an id yet; `normalized` may be undefined until it is known whether the token is special. */
type Flags = Omit<AddedToken, 'id' | 'normalized'> & { normalized: boolean | undefined };

/** A token given as a plain text, or with its flags. */
type Given = Flags & { bare: boolean };

/** Tokens that every tokenizer_config.json may name, in transformers' order. */
const NAMED = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map((name) => `${name}_token`);

/** What adding tokens needs of the model's own vocabulary. */
export interface Vocabulary {
  idOf: (token: string) => number | undefined;
  size: number;
}

/**
 * All added tokens: those of tokenizer.json, then those only in tokenizer_config.json, with the ids and flags that
 * transformers gives them. `config` is tokenizer_config.json, named `file`. Throws UserError naming the key.
 */
export function withConfigTokens(
  own: readonly AddedToken[],
  config: JsonObject,
  file: string,
  vocabulary: Vocabulary,
): AddedToken[] {
  const tokens = new Map(own.map((token) => [token.content, token]));
  const add = (token: Flags): void => {
    if (token.content === '') {
      return;
    }
    const known = tokens.get(token.content);
    const id = known?.id ?? vocabulary.idOf(token.content) ?? nextId(tokens, vocabulary);
    const { normalized = !token.special } = token;
    // A control token remains one.
    tokens.set(token.content, {
      ...token,
      id,
      normalized,
      special: token.special || known?.special === true,
    });
    if (tokens.size > MAX_ADDED) {
      throw new UserError(
        `${file}: it adds more than ${showCount(MAX_ADDED)} tokens; take the file from the base model's repository again.`,
      );
    }
  };
  const read = new Reader(file);
  const listed = read.decoder(config) ?? own.map((token): Flags => ({ ...token }));
  const named = read.named(config);
  // A named token is a control token, whatever the list says.
  for (const { content } of named) {
    for (const token of listed) {
      if (token.content === content) {
        token.special = true;
      }
    }
  }
  listed.forEach(add);
  const before = new Set(tokens.keys());
  const seen = new Map<string, boolean[]>();
  for (const { bare, ...token } of [...named, ...read.extra(config)]) {
    // Python distinguishes a text from an object, so the same token may occur twice; the last one's flags count.
    const kinds = seen.get(token.content) ?? [];
    if (before.has(token.content) || kinds.includes(bare)) {
      continue;
    }
    seen.set(token.content, [...kinds, bare]);
    add(token);
  }
  return [...tokens.values()];
}

/**
 * The id that the tokenizers library gives a new token: one past the added tokens missing from the model's
 * vocabulary, or the size of that vocabulary, whatever its ids are.
 */
export function nextId(tokens: ReadonlyMap<string, AddedToken>, { idOf, size }: Vocabulary): number {
  let next = size;
  for (const { id, content } of tokens.values()) {
    if (idOf(content) === undefined) {
      next = Math.max(next, id + 1);
    }
  }
  return next;
}

class Reader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** added_tokens_decoder, ordered by its ids, which have no other effect. */
  decoder(config: JsonObject): Flags[] | undefined {
    const key = 'added_tokens_decoder';
    const value = config[key];
    if (value === undefined) {
      return undefined;
    }
    if (!isObject(value)) {
      return this.#refuse(key, value, 'tokens by their ids');
    }
    return Object.entries(value)
      .toSorted(([a], [b]) => Number(a) - Number(b))
      .map(([id, token]) => {
        if (!/^\d+$/.test(id) || !isObject(token)) {
          return this.#refuse(`${key}[${quote(id)}]`, token, 'a token under its id');
        }
        return this.#flags(token, `${key}[${quote(id)}]`, false);
      });
  }

  /** Named tokens, such as eos_token or a model's own. */
  named(config: JsonObject): Given[] {
    const isName = (key: string) => key.endsWith('_token') && !NAMED.includes(key);
    const extra = config['extra_special_tokens'];
    const entries = [
      ...NAMED.map((key): [string, unknown] => [key, config[key]]),
      ...Object.entries(config).filter(([key, value]) => isName(key) && isToken(value)),
      ...(isObject(extra) ? Object.entries(extra) : []),
    ];
    return entries
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => ({ ...this.#token(value, key), special: true }));
  }

  /** Further control tokens without a name. */
  extra(config: JsonObject): Given[] {
    const extra = config['extra_special_tokens'] ?? [];
    const isNone = isObject(extra) || (Array.isArray(extra) && extra.length === 0);
    const key = isNone ? 'additional_special_tokens' : 'extra_special_tokens';
    const list = config[key] ?? [];
    if (!Array.isArray(list)) {
      return this.#refuse(key, list, 'a list of tokens');
    }
    return list.map((token, i) => this.#token(token, `${key}[${i}]`));
  }

  #token(value: unknown, key: string): Given {
    if (typeof value === 'string') {
      return { ...this.#flags({ content: value, special: true }, key, true), bare: true };
    }
    if (isObject(value)) {
      return { ...this.#flags(value, key, false), bare: false };
    }
    return this.#refuse(key, value, 'a token');
  }

  /** transformers' AddedToken: if not special, it is matched in normalized text by default. */
  #flags(token: JsonObject, key: string, alone: boolean): Flags {
    const { content } = token;
    if (typeof content !== 'string' || content.length > MAX_TOKEN_TEXT) {
      return this.#refuse(
        alone ? key : `${key}.content`,
        content,
        `a text of at most ${showCount(MAX_TOKEN_TEXT)} characters`,
      );
    }
    const given = (name: string): boolean | undefined => {
      const value = token[name] ?? undefined;
      if (value === undefined || typeof value === 'boolean') {
        return value;
      }
      return this.#refuse(`${key}.${name}`, value, 'true or false');
    };
    const flag = (name: string): boolean => given(name) ?? false;
    return {
      content,
      special: flag('special'),
      lstrip: flag('lstrip'),
      rstrip: flag('rstrip'),
      singleWord: flag('single_word'),
      normalized: given('normalized'),
    };
  }

  #refuse(key: string, found: unknown, expected: string): never {
    throw new UserError(
      `${this.#file}: ${key} is ${quote(found ?? null)}, expected ${expected}; take the file from the base model's repository again.`,
    );
  }
}

const isToken = (value: unknown): boolean =>
  typeof value === 'string' || (isObject(value) && 'content' in value);

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
