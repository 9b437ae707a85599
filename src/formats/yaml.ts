// Reference: PyYAML, lib/yaml/resolver.py.
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type ScalarTag,
  stringify,
  type Tags,
} from 'yaml';
import { quote } from './quote.ts';
import { UserError } from './user-error.ts';
import { showCount } from './words.ts';

/** YAML 1.1, as PyYAML reads and writes it: yes and no are booleans. */
const OPTIONS = { version: '1.1', schema: 'yaml-1.1', logLevel: 'error' } as const;

/** A recipe has a hundred lines; the parser takes seconds on much longer text. */
const MAX_CHARACTERS = 65_536;
/** Maximum values that a text may stand for, counting those that aliases repeat. */
const MAX_VALUES = 10_000;

const PREFIX = 'tag:yaml.org,2002:';
/**
 * The tags of plain data; all others create objects of a programming language, and PyYAML's safe loader accepts few
 * of them.
 */
const PLAIN: ReadonlySet<string> = new Set(
  ['map', 'seq', 'str', 'int', 'float', 'bool', 'null', 'merge'].map((name) => PREFIX + name),
);

const TRUE = /^(?:[Yy]es|YES|[Tt]rue|TRUE|[Oo]n|ON)$/;
const FALSE = /^(?:[Nn]o|NO|[Ff]alse|FALSE|[Oo]ff|OFF)$/;

/** Parses YAML; null for an empty text. Throws UserError naming the line. */
export function parseYaml(text: string, file: string): unknown {
  const refuse: Refuse = (problem) => {
    throw new UserError(`${file}: not valid YAML: ${problem}; correct the file.`);
  };
  if (text.length > MAX_CHARACTERS) {
    throw new UserError(
      `${file}: it has ${showCount(text.length)} characters, expected at most ${showCount(MAX_CHARACTERS)} of YAML; name the file with the settings.`,
    );
  }
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return ` at line ${line}, column ${col}`;
  };
  // Duplicate keys are found below, in linear time, and only one error is reported.
  const document = parseDocument(text, {
    ...OPTIONS,
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
    customTags: plainTags,
  });
  const [error] = document.errors;
  if (error?.code === 'RESOURCE_EXHAUSTION') {
    refuse('it is nested too deeply');
  }
  if (error?.code === 'MULTIPLE_DOCS') {
    refuse('it holds several documents, expected one');
  }
  if (error) {
    refuse(error.message.slice(0, 200) + at(error.pos[0]));
  }
  new Checker(document, at, refuse).check();
  try {
    return document.toJS({ maxAliasCount: -1 }) as unknown;
  } catch (problem) {
    // For example a merge key that names no map.
    return refuse((problem as Error).message);
  }
}

export function writeYaml(value: unknown): string {
  return stringify(value, OPTIONS);
}

type Refuse = (problem: string) => never;

/** Dates stay text; and in PyYAML y and n are not booleans, although YAML 1.1 says so. */
function plainTags(tags: Tags): Tags {
  return tags.flatMap((tag) => {
    if (typeof tag === 'string' || !PLAIN.has(tag.tag)) {
      return [];
    }
    if (tag.tag !== `${PREFIX}bool`) {
      return [tag];
    }
    return [{ ...tag, test: tag.identify?.(true) ? TRUE : FALSE } as ScalarTag];
  });
}

/** Looks for anything that would make more of a text than the data it spells out. */
class Checker {
  readonly #document: Document;
  readonly #place: (offset: number) => string;
  readonly #refuse: Refuse;
  /** Number of values in every node, aliases expanded; 0 while being counted. */
  readonly #values = new Map<unknown, number>();

  constructor(document: Document, place: (offset: number) => string, refuse: Refuse) {
    this.#document = document;
    this.#place = place;
    this.#refuse = refuse;
  }

  check(): void {
    this.#count(this.#document.contents);
  }

  #count(node: unknown): number {
    if (isAlias(node)) {
      return this.#countAlias(node.source, node.resolve(this.#document), node);
    }
    const { tag } = (node ?? {}) as { tag?: string };
    if (tag !== undefined && tag !== '!' && !PLAIN.has(tag)) {
      this.#refuse(`the tag ${quote(shortTag(tag))} is not allowed${this.#at(node)}`);
    }
    this.#values.set(node, 0);
    let values = 1;
    if (isMap(node)) {
      const keys = new Set<string>();
      for (const pair of node.items) {
        if (isPair(pair)) {
          this.#checkKey(pair.key, keys);
        }
        values += this.#count(pair.value);
      }
    } else if (isSeq(node)) {
      for (const item of node.items) {
        values += this.#count(item);
      }
    }
    if (values > MAX_VALUES) {
      this.#refuse(`it stands for more than ${showCount(MAX_VALUES)} values`);
    }
    this.#values.set(node, values);
    return values;
  }

  #countAlias(name: string, target: unknown, alias: unknown): number {
    const values = this.#values.get(target);
    if (target === undefined || values === undefined) {
      return this.#refuse(`the alias ${quote(name)} names nothing before it${this.#at(alias)}`);
    }
    if (values === 0) {
      return this.#refuse(`the alias ${quote(name)} stands within what it names${this.#at(alias)}`);
    }
    return values;
  }

  #checkKey(key: unknown, keys: Set<string>): void {
    const scalar = isAlias(key) ? key.resolve(this.#document) : key;
    if (!isScalar(scalar)) {
      return this.#refuse(`a key is no text${this.#at(key)}`);
    }
    this.#count(key);
    const text = String(scalar.value);
    if (keys.has(text)) {
      this.#refuse(`the key ${quote(text)} occurs twice${this.#at(key)}`);
    }
    keys.add(text);
  }

  #at(node: unknown): string {
    const { range } = node as { range?: readonly number[] | null };
    return range ? this.#place(range[0]!) : '';
  }
}

/** "!!omap" for the tag that YAML spells out as "tag:yaml.org,2002:omap". */
const shortTag = (tag: string): string => (tag.startsWith(PREFIX) ? `!!${tag.slice(PREFIX.length)}` : tag);
