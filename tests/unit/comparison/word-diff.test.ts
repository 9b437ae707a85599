import { describe, expect, it } from 'vitest';
import { type DiffPiece, wordDiff } from '../../../src/comparison/word-diff.ts';
import { Xoshiro128 } from '../../../src/formats/xoshiro128.ts';

const written = (pieces: readonly DiffPiece[]) =>
  pieces.map(({ kind, text }) => ({ same: text, gone: `[-${text}-]`, new: `{+${text}+}` })[kind]).join('');
const side = (pieces: readonly DiffPiece[], left: 'gone' | 'new') =>
  pieces
    .filter(({ kind }) => kind !== left)
    .map(({ text }) => text)
    .join('');

/** The difference as its definition has it, for texts of words and "/" alone. */
function plainDiff(first: string, second: string): string {
  const parts = (text: string): string[] => text.match(/\d+|\//g) ?? [];
  const [a, b] = [parts(first), parts(second)];
  const common = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i]![j] =
        a[i] === b[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  let [text, gone, fresh, i] = ['', '', '', 0];
  const flush = (): void => {
    text += (gone && `[-${gone}-]`) + (fresh && `{+${fresh}+}`);
    gone = fresh = '';
  };
  // What both begin or end with is set aside first.
  let end = 0;
  while (i < Math.min(a.length, b.length) && a[i] === b[i]) {
    text += a[i++]!;
  }
  let j = i;
  while (end < Math.min(a.length, b.length) - i && a.at(-1 - end) === b.at(-1 - end)) {
    end++;
  }
  const [lastA, lastB] = [a.length - end, b.length - end];
  while (i < lastA || j < lastB) {
    if (i < lastA && j < lastB && a[i] === b[j]) {
      flush();
      text += a[i]!;
      i++;
      j++;
    } else if (j === lastB || (i < lastA && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      gone += a[i++]!;
    } else {
      fresh += b[j++]!;
    }
  }
  flush();
  return text + a.slice(lastA).join('');
}

describe('wordDiff', () => {
  it.each([
    ['shelf 35 in Kraków', 'shelf 33 in Kraków', 'shelf [-35-]{+33+} in Kraków'],
    ['the red fox', 'the fox', 'the [-red -]fox'],
    ['the fox', 'the red fox', 'the {+red +}fox'],
    ['one two three', 'uno due three', '[-one two-]{+uno due+} three'],
    ['It costs 5.', 'It costs 5!', 'It costs 5[-.-]{+!+}'],
    ['東京の棚', '東京の箱', '東京の[-棚-]{+箱+}'],
    ['Übergrößenträger', 'Übergrößen', '[-Übergrößenträger-]{+Übergrößen+}'],
    ['same', 'same', 'same'],
    ['', 'new', '{+new+}'],
    ['gone', '', '[-gone-]'],
    ['', '', ''],
  ])('from %j to %j is %s', (first, second, expected) => {
    expect(written(wordDiff(first, second))).toBe(expected);
  });

  it('gives both texts back, whatever they are', () => {
    const random = Xoshiro128.seeded(5);
    const words = ['a', 'b ', ' c', '\n', 'é', '\u0301', '\u202e', '<b>', '🦊', '\ud83d', '棚'];
    const text = () =>
      Array.from({ length: random.u32() % 30 }, () => words[random.u32() % words.length]).join('');
    for (let i = 0; i < 300; i++) {
      const [first, second] = [text(), text()];
      const pieces = wordDiff(first, second);
      expect(side(pieces, 'new')).toBe(first);
      expect(side(pieces, 'gone')).toBe(second);
      for (const [at, { text }] of pieces.entries()) {
        expect(text).not.toBe('');
        expect(pieces[at + 1]?.kind).not.toBe(pieces[at]!.kind);
      }
    }
  });

  it('takes the alignment of the plain table of common subsequences, a cell at a time', () => {
    const random = Xoshiro128.seeded(9);
    for (let i = 0; i < 500; i++) {
      const kinds = 1 + (random.u32() % 12);
      const text = () => Array.from({ length: random.u32() % 60 }, () => `${random.u32() % kinds}`).join('/');
      const [first, second] = [text(), text()];
      expect(written(wordDiff(first, second)), JSON.stringify([first, second])).toBe(
        plainDiff(first, second),
      );
    }
  });

  it('aligns answers of 8,000 words', () => {
    const words = Array.from({ length: 8000 }, (_, i) => `w${(i * i) % 977}`);
    const changed = words.map((word, i) => (i % 10 === 0 ? 'new' : word));
    const pieces = wordDiff(words.join(' '), changed.join(' '));
    expect(pieces.filter(({ kind }) => kind === 'new')).toHaveLength(800);
    expect(side(pieces, 'new')).toBe(words.join(' '));
  });

  it('does not search through very long texts', () => {
    const first = `begin ${'x y '.repeat(8000)}end`;
    const second = `begin ${'y z '.repeat(8000)}end`;
    const pieces = wordDiff(first, second);
    expect(pieces.map(({ kind }) => kind)).toEqual(['same', 'gone', 'new', 'same']);
    expect(side(pieces, 'gone')).toBe(second);
  });
});
