import { expect, it } from 'vitest';
import { blindQuestions, blindSides } from '../../../src/app/comparison/blind-order.ts';
import type { TestDetail } from '../../../src/engine/protocol/comparison.ts';

it('shuffles the sides by question, and repeats them', () => {
  const sides = (test: string) => Array.from({ length: 40 }, (_, i) => blindSides(test, i, [0, 1])[0]!);
  expect(sides('a')).toEqual(sides('a'));
  expect(sides('a')).not.toEqual(sides('b'));
  // Each side comes about as often: five standard deviations of 20.
  const first = sides('a').filter((version) => version === 0).length;
  expect(Math.abs(first - 20)).toBeLessThan(16);
  expect(new Set(sides('a')).size).toBe(2);
});

it('asks what both answered, differently, and nobody voted on', () => {
  const answers = (...texts: (string | undefined)[]) => ({
    answers: texts.map((text) =>
      text === undefined ? undefined : { text, ...(text === 'no' && { error: 'no room' }) },
    ),
  });
  const detail = {
    questions: [0, 1, 2, 3, 4],
    versions: [answers('a', 'a', 'a', 'a', 'a'), answers('b', 'a', undefined, 'no', 'b')],
    votes: [undefined, undefined, undefined, undefined, 1],
  } as unknown as TestDetail;
  expect(blindQuestions(detail, [0, 1])).toEqual([0]);
});
