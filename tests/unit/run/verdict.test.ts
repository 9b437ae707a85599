import { expect, it } from 'vitest';
import { stoppedVerdict, verdictOf } from '../../../src/run/verdict.ts';

const run = (losses: Record<number, number>, more: Partial<Parameters<typeof verdictOf>[0]> = {}) =>
  verdictOf({
    evals: Object.entries(losses).map(([step, loss]) => ({ step: Number(step), loss })),
    step: 8,
    saved: [],
    names: { source: 'V1', result: 'V2' },
    ...more,
  });

it('says whether the result is better than its source', () => {
  expect(run({ 0: 0.84, 8: 0.63 })).toEqual({
    text: 'V2 is better than V1 by 0.2100: eval loss 0.6300 after 0.8400.',
    worse: false,
  });
  expect(run({ 0: 0.6, 8: 0.63 })).toEqual({
    text: 'V2 is worse than V1 by 0.0300: eval loss 0.6300 after 0.6000.',
    worse: true,
  });
  expect(run({ 0: 0.63, 8: 0.63 })?.text).toBe('V2 is as good as V1: eval loss 0.6300.');
  expect(run({ 0: 0.8, 8: 0.63 }, { names: { source: undefined, result: 'V1' } })?.text).toMatch(
    /^V1 is better than the base by 0\.1700: /,
  );
});

it('names a better step on the way, and whether it is kept', () => {
  expect(run({ 0: 0.84, 6: 0.623, 8: 0.63 }, { saved: [6, 8] })).toEqual({
    text: 'V2 is better than V1 by 0.2100: eval loss 0.6300 after 0.8400; step 6 was better still, by 0.0070: take it?',
    worse: true,
    take: 6,
  });
  expect(run({ 4: 0.7, 6: 0.6, 7: 0.61, 8: 0.63 }, { saved: [8] })?.text).toBe(
    'V2 has eval loss 0.6300; step 6 was better, by 0.0300, and was not kept; “Keep the best checkpoint” in the recipe (save_best) keeps it.',
  );
  expect(run({ 0: 0.5, 6: 0.6, 8: 0.63 })?.text).toMatch(/; step 6 was better, by 0\.0300, and/);
});

it('takes the best step where that is the result, and counts a difference only where it shows', () => {
  expect(run({ 6: 0.6, 8: 0.63 }, { step: 6 })).toEqual({ text: 'V2 has eval loss 0.6000.', worse: false });
  expect(run({ 0: 0.7, 6: 0.62999, 8: 0.63 })?.worse).toBe(false);
  // As at the end of the demo: they show as 0.3441 and 0.3442.
  expect(run({ 0: 0.7, 6: 0.34414, 8: 0.34418 })?.worse).toBe(false);
  expect(run({ 0: 0.34414, 8: 0.34418 })?.text).toBe('V2 is as good as V1: eval loss 0.3442.');
  // A run that resumed evaluated a step twice: the later evaluation counts.
  expect(
    verdictOf({
      evals: [
        { step: 4, loss: 0.1 },
        { step: 4, loss: 0.7 },
        { step: 8, loss: 0.6 },
      ],
      step: 8,
      saved: [],
      names: { source: 'V1', result: 'V2' },
    })?.worse,
  ).toBe(false);
});

it('says nothing where the result was not evaluated', () => {
  expect(run({ 0: 0.8, 4: 0.7 })).toBeUndefined();
  expect(run({})).toBeUndefined();
});

it('names the best checkpoint of a run that was stopped', () => {
  const stopped = (losses: Record<number, number>, saved: number[]) =>
    stoppedVerdict({
      evals: Object.entries(losses).map(([step, loss]) => ({ step: Number(step), loss })),
      saved,
      names: { source: 'V1', result: 'V2' },
    });
  expect(stopped({ 0: 0.84, 4: 0.7, 6: 0.63, 8: 0.6 }, [4, 6])).toEqual({
    text: 'Of the checkpoints, that of step 6 is the best, with eval loss 0.6300, better than V1 by 0.2100: take it?',
    worse: false,
    take: 6,
  });
  expect(stopped({ 0: 0.5, 4: 0.7 }, [4])?.worse).toBe(true);
  expect(stopped({ 4: 0.7 }, [4])?.text).toBe(
    'Of the checkpoints, that of step 4 is the best, with eval loss 0.7000: take it?',
  );
  expect(stopped({ 0: 0.5, 4: 0.7 }, [3])).toBeUndefined();
});
