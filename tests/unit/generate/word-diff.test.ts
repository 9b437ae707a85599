import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../src/formats/xoshiro128.ts';
import { wordDiff, type DiffPiece } from '../../../src/generate/word-diff.ts';

const written = (pieces: readonly DiffPiece[]) =>
  pieces.map(({ kind, text }) => ({ same: text, gone: `[-${text}-]`, new: `{+${text}+}` })[kind]).join('');
const side = (pieces: readonly DiffPiece[], left: 'gone' | 'new') =>
  pieces
    .filter(({ kind }) => kind !== left)
    .map(({ text }) => text)
    .join('');

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

  it('does not search through very long texts', () => {
    const first = `begin ${'x y '.repeat(4000)}end`;
    const second = `begin ${'y z '.repeat(4000)}end`;
    const pieces = wordDiff(first, second);
    expect(pieces.map(({ kind }) => kind)).toEqual(['same', 'gone', 'new', 'same']);
    expect(side(pieces, 'gone')).toBe(second);
  });
});
