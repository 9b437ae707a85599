import { NumberText, PythonFloat } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';
import { IS_SPACE, type Origin } from './jinja/str.ts';
import type { Rendered } from './jinja/template.ts';
import type { Span } from './span.ts';

/** A part of a conversation with content; the output's characters are attributed to these. */
export interface Part {
  /**
   * Its path: "messages", the turn's index, its key, and on to the key of a call; or "tools"; or "kwargs" and a
   * name.
   */
  path: readonly (string | number)[];
  /** Characters of its texts, without white space. */
  letters: number;
  /** Whether it has content: a text that is not blank, a number or a boolean. */
  says: boolean;
}

/** A rendered conversation; the origin of a part's characters (see `Str`) is its index in `parts`, from 1. */
export interface RenderedChat extends Rendered {
  parts: readonly Part[];
}

/** Origins by UTF-16 unit; 0 is the template. */
const MAX_PARTS = 65_000;

/** Assigns an origin to each part of a conversation. */
export class PartList {
  readonly parts: Part[] = [];

  add(path: Part['path'], value: unknown): Origin {
    if (this.parts.length === MAX_PARTS) {
      throw new UserError(
        `the conversation has more than ${MAX_PARTS} turns, keys and calls; cut it into several rows`,
      );
    }
    const letters = lettersOf(value);
    return this.parts.push({ path, letters, says: letters > 0 || saysMore(value) });
  }
}

/** How much of a conversation's parts is printed. */
export class PrintedParts {
  readonly #letters: Uint32Array;
  readonly #turns = new Map<number, Span>();

  constructor({ text, origins = '', parts }: RenderedChat) {
    this.#letters = new Uint32Array(parts.length);
    for (let i = 0; i < origins.length; i++) {
      const origin = origins.charCodeAt(i);
      if (origin === 0) {
        continue;
      }
      if (isLetter(text, i)) {
        this.#letters[origin - 1]!++;
      }
      const [first, turn] = parts[origin - 1]!.path;
      if (first !== 'messages') {
        continue;
      }
      const span = this.#turns.get(turn as number);
      if (span) {
        span.end = i + 1;
      } else {
        this.#turns.set(turn as number, { begin: i, end: i + 1 });
      }
    }
  }

  /** From the first to the last character that comes from a turn. */
  ofTurn(turn: number): Span | undefined {
    return this.#turns.get(turn);
  }

  /** Characters printed of a part, by its index, without white space. */
  letters(part: number): number {
    return this.#letters[part]!;
  }
}

/** Rows have millions of characters, nearly all of them in this range. */
function isLetter(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (code > 0x20 && code < 0x7f) || !IS_SPACE.test(text[at]!);
}

function lettersOf(value: unknown): number {
  if (typeof value === 'string') {
    let letters = 0;
    for (let i = 0; i < value.length; i++) {
      if (isLetter(value, i)) {
        letters++;
      }
    }
    return letters;
  }
  if (Array.isArray(value)) {
    return value.reduce((sum: number, item) => sum + lettersOf(item), 0);
  }
  if (!(value instanceof Map)) {
    return 0;
  }
  let letters = 0;
  for (const [key, item] of value as Map<string, unknown>) {
    letters += lettersOf(key) + lettersOf(item);
  }
  return letters;
}

/** Whether it contains a number or boolean. */
function saysMore(value: unknown): boolean {
  if (Array.isArray(value)) {
    return value.some(saysMore);
  }
  return (
    typeof value === 'boolean' ||
    typeof value === 'number' ||
    value instanceof NumberText ||
    value instanceof PythonFloat
  );
}
