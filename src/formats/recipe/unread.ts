import type { Fields } from '../fields.ts';
import { UserError } from '../user-error.ts';
import { otherName } from './other-names.ts';
import { isUnset } from './variants.ts';

/** What may be done with keys that no setting was read from. */
interface Unread {
  /** Files and folders, for which the command line's options or what is chosen on the page count. */
  readonly places: readonly string[];
  /** Known, and without effect on the training. */
  readonly harmless: readonly string[];
  /** Nobody knows them. */
  readonly unknown: readonly string[];
}

/** What a kind of file is known to hold beside its settings. */
export interface KnownKeys {
  readonly settings: ReadonlySet<string>;
  readonly places: ReadonlySet<string>;
  readonly harmless: (key: string) => boolean;
}

/** Sorts what was not read; a key that is all but a setting's name is refused. Throws UserError. */
export function sortUnread(
  unread: readonly (readonly [path: string, value: unknown])[],
  file: string,
  known: KnownKeys,
): Unread {
  const places: string[] = [];
  const harmless: string[] = [];
  const unknown: string[] = [];
  for (const [path] of unread) {
    const key = path.slice(path.lastIndexOf('.') + 1);
    if (known.places.has(key)) {
      places.push(path);
    } else if (known.harmless(key)) {
      harmless.push(path);
    } else {
      const meant = nearest(key, known.settings);
      if (meant !== undefined) {
        throw new UserError(`${file}: ${path} is not known, did you mean ${meant}?; correct or remove it.`);
      }
      unknown.push(path);
    }
  }
  return { places, harmless, unknown };
}

/** Whether a key asks for something, so that dropping it would lose a wish. */
export const asks = (fields: Fields, key: string): boolean => !isUnset(fields.values[key]);

/**
 * The name that a key stands for: what it is called elsewhere, or else the nearest one of those that are one letter off,
 * or two in longer names.
 */
export function nearest(key: string, names: ReadonlySet<string>): string | undefined {
  const allowed = key.length < 5 ? 0 : key.length < 9 ? 1 : 2;
  let [found, least] = [otherName(key, names), allowed + 1];
  for (const name of found === undefined ? names : []) {
    const far = Math.abs(name.length - key.length) < least ? distance(key, name) : least;
    if (far < least) {
      [found, least] = [name, far];
    }
  }
  return found;
}

/** Letters to add, drop, change or swap with the next to come from one text to the other (optimal string alignment). */
function distance(a: string, b: string): number {
  let [before, last]: number[][] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(last![j]! + 1, row[j - 1]! + 1, last![j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, before![j - 2]! + 1);
      }
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last![b.length]!;
}
