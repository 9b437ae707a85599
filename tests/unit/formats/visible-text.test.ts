import { expect, it } from 'vitest';
import { escapedLine, escapedLines, visiblePieces, visibleText } from '../../../src/formats/visible-text.ts';

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

it('escapes them for a terminal, and in JSON text without another meaning', () => {
  expect(escapedLine('a\u001b[2J\u009b\u202e\u2028\u007f\u{E0041}\uD800\tb\r\nc')).toBe(
    'a\\u001b[2J\\u009b\\u202e\\u2028\\u007f\\udb40\\udc41\\ud800\\tb\\r\\nc',
  );
  const value = { 'k\u009b': ['\u202e \u061c\n', 'nächste: 東京 שלום 👩‍🔧'] };
  const shown = escapedLines(JSON.stringify(value, null, 2));
  expect(shown).not.toMatch(/[\u009b\u202e\u061c]/);
  expect(shown.split('\n')).toHaveLength(6);
  expect(JSON.parse(shown)).toEqual(value);
});
