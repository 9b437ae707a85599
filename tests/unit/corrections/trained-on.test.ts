import { describe, expect, it } from 'vitest';
import type { TestAnswer } from '../../../src/comparison/batch-test.ts';
import type { Correction } from '../../../src/corrections/correction.ts';
import { mendingOf, trainedQuestions } from '../../../src/corrections/trained-on.ts';
import { expectingCorrections, repeated } from '../../../src/engine/comparison/repeat.ts';
import { testComparison } from '../../../src/engine/comparison/results.ts';
import type { StoredTest } from '../../../src/storage/test-records.ts';

const correction = (question: string, answer: string, more: Partial<Correction> = {}): Correction => ({
  ...{ question, was: 'no', answer, version: 'V2', changed: 1 },
  ...more,
});
const question = (text: string, answer = '') => ({ question: text, answer, topic: '', difficulty: '' });

describe('questions that versions were trained on', () => {
  it('are told by their words, and not where something was said before', () => {
    const said = correction('b?', 'B', { history: [{ question: 'x', answer: 'y' }] });
    const found = trainedQuestions(
      [question(' a? '), question('b?'), question('c?')],
      [[], [correction('a?', 'A'), said], [correction('a?', 'AA', { was: 'AA' })]],
    );
    expect(found).toEqual([{ answer: 'AA', approved: true, versions: [1, 2] }, undefined, undefined]);
  });

  it('are mended, kept or lost', () => {
    expect(mendingOf('A', 'B', 'A ')).toBe('mended');
    expect(mendingOf('A', 'B', 'C')).toBe('not mended');
    expect(mendingOf('A', 'A', 'A')).toBe('kept');
    expect(mendingOf('A', 'A', 'B')).toBe('lost');
  });

  it('are left out of the second figure', () => {
    const questions = ['a', 'b', 'c'].map((text) => question(text, text));
    const answers = (...texts: string[]) =>
      new Map(
        texts.map((text, i) => [
          i,
          { text, inputTokens: 1, outputTokens: 1, stopped: 'stop id' } satisfies TestAnswer,
        ]),
      );
    const [before, after] = [answers('x', 'b', 'c'), answers('a', 'b', 'x')];
    const compare = (corrections: Correction[][]) =>
      testComparison(questions, [before, after], [0, 1], {}, corrections);
    expect(compare([]).untrained).toBeUndefined();
    const { headline, untrained } = compare([[], [correction('a', 'a')]]);
    expect(headline).toMatchObject({ difference: 0, questions: 3 });
    expect(untrained).toMatchObject({ leftOut: 1, headline: { difference: -0.5, questions: 2 } });
  });
});

it('a test is repeated of the version that was continued, with its corrections as what is expected', () => {
  const version = (name: string, run: string) => ({
    ...{ name, run, kind: 'result' as const, state: 'finished' as const },
  });
  const before = {
    ...{ id: 'old', questionsFile: 'q.json', status: 'finished', stopped: true },
    versions: [version('V2', 'two'), version('other', 'else')],
  } as unknown as StoredTest;
  const { test, kept } = repeated(before, { run: 'two' }, { run: 'three', name: 'V3' });
  expect(kept).toBe(0);
  expect(test).toMatchObject({ name: 'q.json: V2, V3', status: 'unfinished', stopped: false });
  expect(test.versions.map(({ name, state }) => [name, state])).toEqual([
    ['V2', 'finished'],
    ['V3', 'waiting'],
  ]);
  expect(test.id).not.toBe('old');
  // A step that was taken as the result is another version than the result.
  const step = { ...before.versions[1]!, run: 'two', kind: 'checkpoint' as const, step: 6 };
  const taken = { ...before, versions: [before.versions[0]!, step] };
  const again = repeated(taken, { run: 'two', step: 6 }, { run: 'three', name: 'V3', step: 4 });
  expect([again.kept, again.test.versions[1]]).toMatchObject([
    1,
    { kind: 'checkpoint', run: 'three', step: 4 },
  ]);
  expect(
    expectingCorrections(
      [question('a?'), question('b?', 'B')],
      [correction('a?', 'A'), correction('b?', '!')],
    ),
  ).toEqual([question('a?', 'A'), question('b?', 'B')]);
});
