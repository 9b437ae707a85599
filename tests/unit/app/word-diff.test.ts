import { expect, it } from 'vitest';
import { diffWords, type DiffPiece } from '../../../src/app/state/word-diff.ts';
import { rougeL } from '../../../src/generate/metrics.ts';

const short = (pieces: DiffPiece[]) =>
  pieces.map(({ kind, text }) => ({ same: text, added: `+${text}+`, missing: `-${text}-` })[kind]).join('|');

it.each([
  ['holds 1.2 litres.', 'holds 1.5 litres.', 'holds |-1.2 -|+1.5 +|litres.'],
  ['the red one', 'the one', 'the |-red -|one'],
  ['the one', 'the very red one', 'the |+very red +|one'],
  ['same  words\nhere', 'same words here', 'same words here'],
  ['', 'all new', '+all new+'],
  ['all gone', '', '-all gone-'],
  ['', '', ''],
])('marks what changed from %j to %j', (reference, text, marked) => {
  expect(short(diffWords(reference, text))).toBe(marked);
});

it('finds words in a script without spaces', () => {
  expect(short(diffWords('東京の電車', '京都の電車'))).toBe('-東京-|+京都+|の電車');
});

it('gives both texts back, and as much in common as ROUGE-L counts', () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
  const text = () => Array.from({ length: random(40) }, () => 'abcdefg'[random(7)]!).join(' ');
  for (let i = 0; i < 50; i++) {
    const [a, b] = [text(), text()];
    const pieces = diffWords(a, b);
    const of = (...kinds: string[]) =>
      pieces
        .filter(({ kind }) => kinds.includes(kind))
        .map((piece) => piece.text)
        .join(' ')
        .trim()
        .split(/\s+/)
        .filter(Boolean);
    expect(of('same', 'added').join(' ')).toBe(b);
    expect(of('same', 'missing').join(' ')).toBe(a);
    const common = of('same').length;
    const lengths = a.split(' ').filter(Boolean).length + b.split(' ').filter(Boolean).length;
    expect(common === 0 ? 0 : (2 * common) / lengths).toBeCloseTo(rougeL(b, a), 12);
  }
});

it('calls a long mixture replaced, instead of searching it for minutes', () => {
  const many = (word: string) => Array.from({ length: 2500 }, (_, i) => `${word}${i % 7}`).join(' ');
  expect(diffWords(many('a'), many('b')).map(({ kind }) => kind)).toEqual(['missing', 'added']);
});
