import { expect, it } from 'vitest';
import { filmStrips, stepsText } from '../../../src/app/shared/film-frames.ts';
import { SampleLog } from '../../../src/run/samples/film.ts';

it('answers that stay the same share a frame; others are marked against the one before', () => {
  const log = new SampleLog(['Why?', 'When?', 'Who?']);
  const texts = ['It is red.', 'It is red.', 'It is blue.', 'It is blue.'];
  for (const [i, text] of texts.entries()) {
    log.add(3 * i, 'Why?', { text, cut: i === 2 });
  }
  log.add(9, 'Who?', { text: '', cut: false });
  const [why, who, ...others] = filmStrips(log.film!);
  expect(others).toEqual([]);
  expect(why!.prompt).toBe('Why?');
  expect(why!.frames.map((frame) => [stepsText(frame), frame.cut])).toEqual([
    ['Before step 1, to step 3', false],
    ['Steps 6 to 9', true],
  ]);
  expect(why!.frames.map(({ pieces }) => pieces)).toEqual([
    [{ kind: 'same', text: 'It is red.' }],
    [
      { kind: 'same', text: 'It is ' },
      { kind: 'gone', text: 'red' },
      { kind: 'new', text: 'blue' },
      { kind: 'same', text: '.' },
    ],
  ]);
  expect(who).toEqual({ prompt: 'Who?', frames: [{ from: 9, to: 9, pieces: [], cut: false }] });
});

it.each([
  ['characters', 'x'.repeat(5000), 1500],
  ['lines', '\n'.repeat(5000), 39],
])('shows only so many %s of an answer, and that there are more', (_, text, shown) => {
  const log = new SampleLog(['Why?']);
  log.add(0, 'Why?', { text: 'other', cut: false });
  log.add(1, 'Why?', { text, cut: false });
  const [, frame] = filmStrips(log.film!)[0]!.frames;
  const pieces = frame!.pieces.filter(({ kind }) => kind === 'new').map((piece) => piece.text);
  expect(pieces.join('').length).toBeLessThanOrEqual(shown);
  expect(pieces.join('').length).toBeGreaterThan(shown - 10);
  expect(frame!.cut).toBe(true);
});
