import { describe, expect, it } from 'vitest';
import { globals } from 'webgpu';
import { type Card, CARDS, SLOW_CARD } from '../../../src/bench/cards.ts';
import { shippedCompiled } from '../../../src/bench/compiled.ts';
import { firstLayers } from '../../../src/bench/pipelines.ts';
import { forecastTuning, trialCalls } from '../../../src/bench/tuning-forecast.ts';
import { PRECISIONS } from '../../../src/gpu/kernels/linear/nf4-variant.ts';
import { workload } from '../../../src/run/choose-kernels.ts';
import { openMatrixGpu } from '../../support/matrix-gpu.ts';

Object.assign(globalThis, globals);

/** The card as it is if it reaches half of what its maker publishes. */
const atHalf = ({ clock, bandwidth, ...card }: Card): Card => ({
  ...card,
  ...{ clock: clock / 2, bandwidth: bandwidth / 2 },
});

const gpu = openMatrixGpu();
const inputs = firstLayers('1.5b', 1024, 1);

describe.each(PRECISIONS)('autotuning of 1.5B in %s', (precision) => {
  const trialsOf = (tokens: number) => trialCalls(gpu, workload(inputs, tokens, precision, tokens > 1024));

  it('takes less than 10 s on every card at half of its rates, with figures for nearly all that is tried', async () => {
    const compiled = await shippedCompiled();
    const [short, long] = [await trialsOf(1024), await trialsOf(4096)];
    const slow = precision === 'matrix' ? [] : [SLOW_CARD];
    for (const card of [...CARDS, ...slow]) {
      // No card of 4 GB has passes of 4096 tokens.
      for (const trials of card.memory > 4 ? [short, long] : [short]) {
        const { seconds, classes, unknown, pipelines, dispatches } = await forecastTuning(
          atHalf(card),
          compiled,
          trials,
        );
        expect(seconds, card.name).toBeLessThan(10);
        expect(unknown).toBeLessThan(pipelines / 4);
        expect(classes.size).toBe(trials.length);
        expect(dispatches).toBeGreaterThan(10 * trials.length);
      }
    }
  });
});

it('the time of a trial is that of the calls that the tuner makes, one to compare and 50 ms of each to time', async () => {
  // No figures: 1 GB is 10 ms at 100 GB/s.
  const card = { ...CARDS[0]!, bandwidth: 100 };
  const call = { kernel: 'k', label: 'k', work: 0, groups: 1, threads: 32 };
  const variant = (name: string, ms: number) => ({ name, calls: [{ ...call, bytes: 1e8 * ms }] });
  const tuned = async (...ms: number[]) => {
    const trial = { name: 'forward', variants: ms.map((one, i) => variant(String(i), one)) };
    const { seconds, dispatches, pipelines } = await forecastTuning(card, {}, [trial]);
    return { ms: Math.round(1000 * seconds), dispatches, pipelines };
  };
  // One call of each, one of the first, then five rounds of ten.
  expect(await tuned(1, 1)).toEqual({ ms: 3 + 100, dispatches: 103, pipelines: 1 });
  // What is far behind has two rounds.
  expect(await tuned(1, 1.3)).toEqual({ ms: Math.round(3.3 + 50 + 26), dispatches: 73, pipelines: 1 });
  // Of what computes nothing is known but that it takes no longer than the slowest.
  const [known, computes] = [variant('known', 2), variant('computes', 1)];
  computes.calls[0]!.work = 1;
  const mixed = await forecastTuning(card, {}, [{ name: 'forward', variants: [known, computes] }]);
  expect(Math.round(1000 * mixed.seconds)).toBe(6 + 2 * 50);
  expect(mixed.unknown).toBe(1);
  // Long calls are not repeated as often.
  expect(await tuned(20, 20)).toEqual({ ms: 60 + 120, dispatches: 9, pipelines: 1 });
  expect(await tuned(200, 200)).toEqual({ ms: 600 + 800, dispatches: 7, pipelines: 1 });
});
