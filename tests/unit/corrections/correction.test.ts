import { expect, it } from 'vitest';
import {
  type Correction,
  correctionOf,
  correctionProblem,
  isApproval,
  parseCorrections,
  rebased,
  withCorrection,
  withoutCorrection,
} from '../../../src/corrections/correction.ts';

const one: Correction = { question: 'a?', was: 'b', answer: 'c', version: 'V2', changed: 1 };

it('keeps one correction of a question, asked in one way', () => {
  const chat: Correction = { ...one, history: [{ question: 'x', answer: 'y' }] };
  const list = withCorrection(withCorrection([one], chat), { ...one, question: ' a? ', answer: 'd' });
  expect(list.map(({ answer }) => answer)).toEqual(['d', 'c']);
  expect(correctionOf(list, chat)).toBe(chat);
  expect(correctionOf(list, { question: 'b?' })).toBeUndefined();
  expect(withoutCorrection(list, one)).toEqual([chat]);
});

it('two tabs that change a tray keep what both have changed', () => {
  const of = (question: string, answer = 'c') => ({ ...one, question, answer });
  const before = [of('a'), of('b')];
  const now = [of('a'), of('b', 'here'), of('there')];
  expect(rebased([...before, of('d')], before, now)).toEqual([...now, of('d')]);
  expect(rebased([of('b')], before, now)).toEqual([of('b', 'here'), of('there')]);
  expect(rebased([of('a', 'mine'), of('b')], before, now)).toEqual([of('a', 'mine'), ...now.slice(1)]);
  expect(rebased([], before, now)).toEqual([of('there')]);
  // Alone, a tab decides on the order, such as by undoing a removal.
  expect(rebased(before, [of('b')], [of('b')])).toEqual(before);
});

it('takes the same answer as approval, and none that is empty', () => {
  expect(isApproval({ was: 'b ', answer: 'b' })).toBe(true);
  expect(isApproval(one)).toBe(false);
  expect(correctionProblem(' \n')).toContain('is empty');
  expect(correctionProblem('x'.repeat(100_001))).toContain('expected at most 100,000');
  expect(correctionProblem('x')).toBeUndefined();
});

it('reads the corrections of an archive, and refuses what is none, naming the key', () => {
  const whole = [one, { ...one, system: 's', history: [{ question: 'x', answer: 'y' }] }];
  expect(parseCorrections(JSON.parse(JSON.stringify(whole)), 'v2.zip, corrections', 'export again')).toEqual(
    whole,
  );
  const refused = (value: unknown) => () => parseCorrections(value, 'v2.zip, corrections', 'export again');
  expect(refused({})).toThrow('corrections is {}, expected a list of at most 10000; export again.');
  expect(refused([{ ...one, answer: 3 }])).toThrow('[0].answer is 3, expected text; export again.');
  expect(refused([{ ...one, history: 'x' }])).toThrow('[0].history is "x", expected a list');
  expect(refused([{ ...one, version: 'x'.repeat(2000) }])).toThrow('text of at most 1000 characters');
});
