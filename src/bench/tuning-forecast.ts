import { tunedClasses } from '../gpu/autotune/autotune.ts';
import { best } from '../gpu/autotune/trial.ts';
import type { Workload } from '../gpu/autotune/workload.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Card } from './cards.ts';
import type { Compiled } from './compiled.ts';
import { forecastCalls, gathering, type StepCall } from './step-calls.ts';

/** A class whose variant a trial chooses, and what each variant dispatches in it, the default first. */
interface TrialCalls {
  name: string;
  variants: { name: string; calls: StepCall[] }[];
}

/** The trials that a first start makes for this work. */
export async function trialCalls(gpu: Gpu, work: Workload): Promise<TrialCalls[]> {
  const trials: TrialCalls[] = [];
  for (const { name, variants, race } of tunedClasses(gpu, work)) {
    if (variants.length > 1) {
      const gathered = new Map(variants.map((variant) => [variant.name, gathering()]));
      await race.record((variant) => gathered.get(variant)!.listener);
      trials.push({ name, variants: [...gathered].map(([name, { calls }]) => ({ name, calls })) });
    }
  }
  return trials;
}

/** What autotuning is expected to take of a card. */
interface TuningForecast {
  seconds: number;
  dispatches: number;
  /** Pipelines compiled for it. */
  pipelines: number;
  /** Seconds by class. */
  classes: Map<string, number>;
  /** Of how many of those that compute the compiler said nothing: they take as long as the slowest of their class. */
  unknown: number;
}

/** Runs the tuner's own race of each class by the clock of a forecast, after the run that compares results. */
export async function forecastTuning(
  card: Card,
  compiled: Compiled,
  trials: readonly TrialCalls[],
): Promise<TuningForecast> {
  const labels = trials.flatMap(({ variants }) =>
    variants.flatMap(({ calls }) => calls.map((one) => one.label)),
  );
  const tuning: TuningForecast = {
    ...{ seconds: 0, dispatches: 0, pipelines: new Set(labels).size, classes: new Map(), unknown: 0 },
  };
  const unknown = new Set<string>();
  for (const { name, variants } of trials) {
    let seconds = 0;
    const forecasts = variants.map(({ calls }) => forecastCalls(card, compiled, calls));
    forecasts.forEach((one) => [...one.unknown.keys()].forEach((label) => unknown.add(label)));
    const slowest = Math.max(...forecasts.map((one) => one.seconds));
    const raced = forecasts.map((one, i) => ({
      seconds: one.unknown.size > 0 ? slowest : one.seconds,
      dispatches: variants[i]!.calls.length,
    }));
    const run = (one: (typeof raced)[number], calls: number) => {
      seconds += calls * one.seconds;
      tuning.dispatches += calls * one.dispatches;
      return Promise.resolve(one.seconds);
    };
    for (const one of raced) {
      await run(one, 1);
    }
    await best(raced, run);
    tuning.classes.set(name, seconds);
    tuning.seconds += seconds;
  }
  tuning.unknown = unknown.size;
  return tuning;
}
