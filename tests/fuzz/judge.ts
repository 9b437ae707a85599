import { UserError } from '../../src/formats/user-error.ts';
import { escapedLine } from '../../src/formats/visible-text.ts';
import { type Files, type Format, INPUT, textOf, Unsound } from './format.ts';

/** The verdict on one input. */
export interface Verdict {
  outcome: 'accepted' | 'refused' | 'failed';
  /** The sentence of a refusal, or what is wrong. */
  detail: string;
  /** Milliseconds spent; see `spent`. */
  ms: number;
}

/** A point in wall-clock time and in this process's CPU time, in milliseconds. */
export interface Moment {
  readonly wall: number;
  readonly cpu: number;
}

export function now(): Moment {
  const { user, system } = process.cpuUsage();
  return { wall: performance.timeOrigin + performance.now(), cpu: (user + system) / 1000 };
}

/** Time computed since: a busy machine advances the clock, other threads the CPU time. */
export function spent(since: Moment): number {
  const { wall, cpu } = now();
  return Math.min(wall - since.wall, cpu - since.cpu);
}

/** Maximum characters of a message. */
const LONGEST = 600;
/** Longer for one input counts as a hang. */
export const LIMIT_MS = 2000;
/** What shows if a value or an error of JavaScript's own ends up in a message. */
const LEAKS = [
  'undefined',
  '[object ',
  'nan',
  'typeerror',
  'rangeerror',
  'syntaxerror',
  'cannot read',
  'null prototype',
];

/** Reads one input and says whether it was accepted, refused in one proper sentence, or neither. */
export async function judge(format: Format, files: Files): Promise<Verdict> {
  const printed: unknown[] = [];
  const silent = silence((...parts) => printed.push(...parts));
  const begin = now();
  let error: unknown;
  try {
    await format.read(files);
  } catch (caught) {
    error = caught ?? new Error('nothing was thrown');
  } finally {
    silent();
  }
  const ms = spent(begin);
  if (printed.length > 0) {
    return { outcome: 'failed', detail: `it writes to the console: ${printed.map(String).join(' ')}`, ms };
  }
  if (error === undefined) {
    return { outcome: 'accepted', detail: '', ms };
  }
  if (!(error instanceof UserError)) {
    return { outcome: 'failed', detail: describe(error), ms };
  }
  const fault = faultOf(error.message, files);
  if (fault) {
    return { outcome: 'failed', detail: `${fault}: ${error.message.slice(0, 2 * LONGEST)}`, ms };
  }
  return { outcome: 'refused', detail: error.message, ms };
}

/** Passes what a library would print to `hear`; returns a function that undoes this. */
function silence(hear: (...parts: unknown[]) => void): () => void {
  const { log, info, warn, error, debug } = console;
  Object.assign(console, { log: hear, info: hear, warn: hear, error: hear, debug: hear });
  return () => Object.assign(console, { log, info, warn, error, debug });
}

/** What is wrong with a refusal's message; undefined if nothing is. */
export function faultOf(message: string, files: Files): string | undefined {
  if (!message.startsWith(INPUT)) {
    return 'the sentence does not begin with the file';
  }
  if (message.length > LONGEST) {
    return `the sentence has ${message.length} characters`;
  }
  if (!message.endsWith('.')) {
    return 'the sentence has no end';
  }
  if (!message.includes('; ')) {
    return 'the sentence does not say what to do';
  }
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/u.test(escapedLine(message))) {
    return 'on a terminal the sentence is not one line of visible characters';
  }
  const lower = message.toLowerCase();
  // Words of the input may be quoted.
  const leak = LEAKS.find(
    (word) => lower.includes(word) && !Object.values(files).some((bytes) => holds(bytes, word)),
  );
  return leak && `the sentence lets ${JSON.stringify(leak)} through`;
}

const holds = (bytes: Uint8Array, word: string): boolean => textOf(bytes).toLowerCase().includes(word);

/** An error that is no UserError, with the place where it was thrown. */
function describe(error: unknown): string {
  if (error instanceof Unsound) {
    return `accepted, but ${error.message}`;
  }
  if (!(error instanceof Error)) {
    return `thrown: ${String(error)}`;
  }
  const place =
    error.stack
      ?.split('\n')
      .find((line) => /^\s+at /.test(line))
      ?.trim() ?? '';
  return `${error.name}: ${error.message.slice(0, LONGEST)} ${place}`;
}
