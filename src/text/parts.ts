import { NumberText, PythonFloat } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';
import { IS_SPACE, type Origin } from './jinja/str.ts';
import type { Rendered } from './jinja/template.ts';
import type { Span } from './spans.ts';

/** A place of a conversation where it says something: the characters of the output are told apart by these. */
export interface Part {
  /** The way to it: "messages", the turn's number, its key, and on to the key of a call; or "tools"; or "kwargs" and a name. */
  path: readonly (string | number)[];
  /** Characters of its texts that are no white space. */
  letters: number;
  /** It says something: a text that is not blank, a number, yes or no. */
  says: boolean;
}

/** A rendered conversation; the origin of a part's characters (see `Str`) is its place in `parts`, from 1. */
export interface RenderedChat extends Rendered {
  parts: readonly Part[];
}

/** Origins are UTF-16 units; 0 is the template. */
const MAX_PARTS = 65_000;

/** Gives each part of a conversation its origin. */
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

/** What of a conversation's parts is printed. */
export class PrintedParts {
  readonly #letters: Uint32Array;
  readonly #turns = new Map<number, Span>();

  constructor({ text, origins = '', parts }: RenderedChat) {
    this.#letters = new Uint32Array(parts.length);
    for (let i = 0; i < origins.length; i++) {
      const origin = origins.charCodeAt(i);
      if (origin === 0) continue;
      if (!IS_SPACE.test(text[i]!)) this.#letters[origin - 1]!++;
      const [first, turn] = parts[origin - 1]!.path;
      if (first !== 'messages') continue;
      const span = this.#turns.get(turn as number);
      if (span) span.end = i + 1;
      else this.#turns.set(turn as number, { begin: i, end: i + 1 });
    }
  }

  /** From the first to the last character that comes from a turn. */
  ofTurn(turn: number): Span | undefined {
    return this.#turns.get(turn);
  }

  /** Characters printed of a part, by its place, that are no white space. */
  letters(part: number): number {
    return this.#letters[part]!;
  }
}

function lettersOf(value: unknown): number {
  if (typeof value === 'string') {
    let letters = 0;
    for (let i = 0; i < value.length; i++) if (!IS_SPACE.test(value[i]!)) letters++;
    return letters;
  }
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + lettersOf(item), 0);
  if (!(value instanceof Map)) return 0;
  let letters = 0;
  for (const [key, item] of value as Map<string, unknown>) letters += lettersOf(key) + lettersOf(item);
  return letters;
}

/** A number, yes or no is in it. */
function saysMore(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(saysMore);
  return (
    typeof value === 'boolean' ||
    typeof value === 'number' ||
    value instanceof NumberText ||
    value instanceof PythonFloat
  );
}
