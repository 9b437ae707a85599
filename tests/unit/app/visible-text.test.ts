import { expect, it } from 'vitest';
import { visiblePieces, visibleText } from '../../../src/app/visible-text.ts';

it('names control, bidirectional and zero-width characters instead of showing them', () => {
  expect(visiblePieces('a\u202Eb\u0000\u200B')).toEqual([
    { text: 'a', hidden: false },
    { text: 'U+202E', hidden: true },
    { text: 'b', hidden: false },
    { text: 'U+0000', hidden: true },
    { text: 'U+200B', hidden: true },
  ]);
  expect(visibleText('x\u2066y\tz\u{E0041}\uD800')).toBe('x[U+2066]y[⇥]z[U+E0041][U+D800]');
});

it('leaves every other text alone: lines, accents, other scripts, emoji', () => {
  const text = 'Zeile\nnächste: 東京 שלום 👩‍🔧 <b>&amp;';
  expect(visiblePieces(text)).toEqual([{ text, hidden: false }]);
});
