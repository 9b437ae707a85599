import type { Folder } from '../../src/formats/byte-source.ts';
import { memoryFolder } from '../support/memory-folder.ts';
import type { Random } from '../support/random.ts';

/** The files of one input by name: a single file, or those of a folder. */
export type Files = Readonly<Record<string, Uint8Array>>;

/** One format's fuzzer. */
export interface Format {
  readonly name: string;
  /** Valid inputs, each accepted by `read`. */
  seeds(): readonly Files[] | Promise<readonly Files[]>;
  /** The files of this format in seeds that hold others too: only these are cut; if empty, none. */
  readonly cut?: readonly string[];
  /** Further valid inputs, too large to be mutated often, that are only cut. */
  large?(): readonly Files[];
  /** A broken or merely unusual copy of a seed; deterministic for a state of `random`. */
  mutate(random: Random, files: Files, seeds: readonly Files[]): Files;
  /**
   * Reads the input as the product does, and checks what was accepted (see `expectSame`). Files are called
   * `INPUT/name` and archives `INPUT.zip`, which a refusal must repeat.
   */
  read(files: Files): Promise<void>;
}

/** The folder that contains the inputs. */
export const INPUT = 'fuzzed';

/** What was accepted is not what it should be: a failure, however well worded. */
export class Unsound extends Error {}

/** Throws Unsound where two values are not the same, compared by their canonical text. */
export function expectSame(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [canonical(found), canonical(expected)];
  if (a === b) {
    return;
  }
  let at = 0;
  while (a[at] === b[at]) {
    at++;
  }
  const around = (text: string) => text.slice(Math.max(0, at - 40), at + 40);
  throw new Unsound(`${what}: found …${around(a)}…, expected …${around(b)}…`);
}

/** Throws Unsound where a condition does not hold. */
export function expectTrue(holds: boolean, what: string): void {
  if (!holds) {
    throw new Unsound(what);
  }
}

/**
 * JSON with sorted keys that keeps undefined, NaN, maps and bytes apart. Keys without a value count as absent, and -0
 * as 0, as in Python where a file has it without a fraction.
 */
function canonical(value: unknown): string {
  if (value === undefined) {
    return 'undefined';
  }
  if (typeof value === 'number') {
    return String(value);
  }
  if (typeof value !== 'object' || value === null) {
    return JSON.stringify(value) ?? typeof value;
  }
  if (ArrayBuffer.isView(value)) {
    return `bytes ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  }
  if (value instanceof Map) {
    return `map ${canonical([...value])}`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join()}]`;
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join()}}`;
}

/** The folder of an input's files; a name such as toString is not one of them. */
export function folderOf(files: Files): Folder {
  return memoryFolder(INPUT, Object.assign(Object.create(null) as object, files));
}

/** The text of a file of an input. */
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Texts as the files of an input. */
export const filesOf = (texts: Readonly<Record<string, string>>): Files =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, bytesOf(text)]));
