import { type DiffPiece, wordDiff } from '../../comparison/word-diff.ts';
import type { SampleAnswer, SampleFilm } from '../../run/samples/film.ts';

/** Characters and lines of an answer that are shown. */
const MAX_SHOWN = { characters: 1500, lines: 40 };

/** An answer, and that it stayed the same to the last of its steps. */
export interface FilmFrame {
  from: number;
  to: number;
  /** Against the frame before. */
  pieces: readonly DiffPiece[];
  /** Whether anything of it is not shown, or was not answered since an answer may have no more tokens. */
  cut: boolean;
}

/** How the answers to one prompt change. */
export interface FilmStrip {
  prompt: string;
  frames: readonly FilmFrame[];
}

/** A film as strips of frames, one for each prompt; answers that are the same as before share a frame. */
export function filmStrips({ prompts, answers }: SampleFilm): FilmStrip[] {
  return prompts.flatMap((prompt, i) => {
    const own = answers.filter((answer) => answer.prompt === i).toSorted((a, b) => a.step - b.step);
    return own.length === 0 ? [] : [{ prompt, frames: framesOf(own) }];
  });
}

function framesOf(answers: readonly SampleAnswer[]): FilmFrame[] {
  const frames: FilmFrame[] = [];
  let before: SampleAnswer | undefined;
  for (const answer of answers) {
    const last = frames.at(-1);
    if (last && before?.text === answer.text) {
      last.to = answer.step;
      continue;
    }
    const { pieces, whole } = beginning(wordDiff(before?.text ?? answer.text, answer.text));
    frames.push({ from: answer.step, to: answer.step, pieces, cut: answer.cut === true || !whole });
    before = answer;
  }
  return frames;
}

/** As much of a text in pieces as is shown. */
function beginning(all: readonly DiffPiece[]): { pieces: DiffPiece[]; whole: boolean } {
  let { characters, lines } = MAX_SHOWN;
  const pieces: DiffPiece[] = [];
  for (const { kind, text } of all) {
    const part = text.slice(0, characters).split('\n').slice(0, lines).join('\n');
    if (part !== '') {
      pieces.push({ kind, text: part });
    }
    characters -= part.length;
    lines -= part.split('\n').length - 1;
    if (part !== text) {
      return { pieces, whole: false };
    }
  }
  return { pieces, whole: true };
}

/** The steps of a frame, in words. */
export function stepsText({ from, to }: Pick<FilmFrame, 'from' | 'to'>): string {
  const begin = from === 0 ? 'Before step 1' : `Step ${from}`;
  if (from === to) {
    return begin;
  }
  return from === 0 ? `${begin}, to step ${to}` : `Steps ${from} to ${to}`;
}
