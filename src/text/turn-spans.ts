import type { Rendered } from './jinja/template.ts';
import type { Span } from './span.ts';

/** A turn of a rendered conversation, with what is needed to find its trained part. */
interface TurnSearch {
  rendered: Rendered;
  /** The turn's index. */
  turn: number;
  /** From the first to the last character that comes from the turn. */
  own: Span | undefined;
  /** The text that the template writes around an assistant's turn after a question. */
  frame: TurnFrame;
  /**
   * The turns before this one rendered as a whole conversation, with or without the opening of the next; undefined
   * if the template refuses that.
   */
  before(addGenerationPrompt: boolean): string | undefined;
  /** The same including this turn. */
  through(): string | undefined;
  /** Where an opening may be cut: the ends of lines and of added tokens in it. */
  cuts(opening: string): number[];
}

export interface TurnFrame {
  /** The text that asks for a turn (add_generation_prompt); '' if there is none. */
  opening: string;
  /** The text from the end of the turn's content to the end of the conversation. */
  closing: string;
}

/**
 * The part of an assistant's turn that a model has to write: everything that the template prints of the turn after
 * its opening, including content, calls and end token. Undefined if the output does not tell.
 */
export function turnSpan(search: TurnSearch, previousEnd: number): Span | undefined {
  const { rendered, turn, own } = search;
  const visits = rendered.visits.filter(({ number }) => number === turn);
  const visit = visits.length === 1 ? visits[0] : undefined;
  // Usually a loop over the turns prints each in one go. What a later turn repeats, such as a call's name, does not
  // belong to this one.
  if (visit && (!own || (own.begin >= visit.begin && own.begin < visit.end))) {
    return { begin: beginOf(search, visit.begin, own), end: visit.end };
  }
  return byPrefixes(search) ?? (own && byFrame(search, own, previousEnd));
}

/** The end of the opening of a turn that is printed from `at` on. */
function beginOf(search: TurnSearch, at: number, own: Span | undefined): number {
  const { text } = search.rendered;
  for (const opening of openings(search)) {
    if (text.startsWith(opening, at)) {
      return Math.min(at + opening.length, own?.begin ?? Infinity);
    }
    // Some templates write it at the end of the previous turn.
    if (text.endsWith(opening, at)) {
      return at;
    }
  }
  // A part of it counts only up to the end of a line or token: "<t" is common to <think> and <tool_call>.
  const { opening } = search.frame;
  const shared = sharedLength(opening, text.slice(at, at + opening.length));
  const cut = Math.max(0, ...search.cuts(opening).filter((end) => end <= shared));
  if (cut > 0) {
    return Math.min(at + cut, own?.begin ?? Infinity);
  }
  return own?.begin ?? at;
}

/** The opening after a question, otherwise the one at this very place: after a tool's turn it may differ. */
function* openings({ frame, before }: TurnSearch): Generator<string> {
  if (frame.opening) {
    yield frame.opening;
  }
  const asked = before(false);
  const opened = before(true);
  if (asked === undefined || !opened?.startsWith(asked)) {
    return;
  }
  const here = opened.slice(asked.length);
  if (here && here !== frame.opening) {
    yield here;
  }
}

/** For templates that print turns otherwise: those whose output begins with the conversation up to the turn. */
function byPrefixes({ rendered: { text }, before, through }: TurnSearch): Span | undefined {
  const ended = through();
  const opened = ended !== undefined && text.startsWith(ended) ? before(true) : undefined;
  if (opened === undefined || !ended!.startsWith(opened)) {
    return undefined;
  }
  return { begin: opened.length, end: ended!.length };
}

/** From the opening before the turn's content to the closing after it; a closing must match as a whole. */
function byFrame({ rendered: { text }, frame }: TurnSearch, own: Span, from: number): Span | undefined {
  const opening = frame.opening && text.slice(from, own.begin).lastIndexOf(frame.opening);
  const closing = frame.closing ? text.indexOf(frame.closing, own.end) : -1;
  if (closing < 0 || opening === -1) {
    return undefined;
  }
  const begin = opening === '' ? own.begin : from + (opening as number) + frame.opening.length;
  return { begin, end: closing + frame.closing.length };
}

function sharedLength(a: string, b: string): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) {
    n++;
  }
  return n;
}
