import { expect, it } from 'vitest';
import { StopTexts } from '../../../src/generate/stop-texts.ts';

function cut(texts: readonly string[], pieces: readonly string[]) {
  const stop = new StopTexts(texts);
  const said = pieces.map((piece) => stop.push(piece));
  return { said: [...said, stop.end()], found: stop.found };
}

it.each([
  ['lets everything through where there are none', [], ['a', 'b'], ['a', 'b', ''], false],
  ['cuts before the text', ['END'], ['one END two'], ['one ', ''], true],
  ['holds back what may be its beginning', ['\n\nQ'], ['a\n', '\n', 'Q', 'b'], ['a', '', '', '', ''], true],
  ['shows what was held back and is no beginning', ['ab'], ['xa', 'c'], ['x', 'ac', ''], false],
  ['shows at the end what is still held back', ['###'], ['x##'], ['x', '##'], false],
  ['cuts before the first of several', ['b', 'a'], ['xab'], ['x', ''], true],
  [
    'finds one that begins within a false beginning',
    ['aab'],
    ['a', 'a', 'a', 'b'],
    ['', '', 'a', '', ''],
    true,
  ],
] as const)('%s', (_, texts, pieces, said, found) => {
  expect(cut(texts, pieces)).toEqual({ said, found });
});
