import type { Gpu } from '../device.ts';
import { refusal } from '../error-scopes.ts';
import type { Needed } from '../kernel.ts';
import type { Precision, Variant } from '../kernels/linear/nf4-variant.ts';
import type { BufferView } from '../memory.ts';
import { openNullGpu } from '../null-device.ts';
import { Profiler } from '../profiler.ts';
import { readOnce } from '../readback.ts';
import { Stream } from '../stream.ts';

/** Largest relative difference between a variant's result and that of the default f32 one. */
const TOLERANCE: Readonly<Record<Precision, number>> = { f32: 1e-5, f16: 2e-3, matrix: 2e-3 };

/** Rounds per variant, the median of which counts; at least two, so that other work on the device may disturb one. */
const [LEAST_ROUNDS, MOST_ROUNDS] = [2, 5];
/**
 * Minimum duration of a round in seconds, so that clock resolution and submission do not blur it, and the maximum
 * calls for that.
 */
const ROUND_SECONDS = 0.01;
const MAX_CALLS = 64;
/** What all rounds of a variant take together, if that leaves the least of them: long calls are not repeated as often. */
const VARIANT_SECONDS = MOST_ROUNDS * ROUND_SECONDS;
/** A variant slower than the best by this factor drops out after two rounds. */
const DROP_RATIO = 1.2;
/** Bytes compared at each end of a result. */
const SAMPLE_BYTES = 2 ** 20;

export interface Trial<Call> {
  /** At least one. Those in f32 count as correct; the first of them is the reference for the others. */
  variants: readonly Variant<Call>[];
  call: Call;
  /** The view that the call writes. */
  output: BufferView;
}

/** A trial that cannot run on this device; `message` says why. */
export class TrialDropped extends Error {
  override readonly name = 'TrialDropped';
}

/** Callbacks of a trial. */
export interface TrialEvents {
  /** A variant is excluded: its result disagrees, or the device refuses it. */
  dropped(name: string, why: string): void;
  /** A variant's kernels are compiled, or failed to compile. */
  compiled?(name: string): void;
  /** A variant is about to run, for the first time or to be timed. The trial awaits this. */
  running?(name: string, what: 'first' | 'timing'): Promise<void> | void;
}

/**
 * The fastest variant that agrees with the first f32 one; ties go to the earlier. Throws TrialDropped if the device
 * refuses all f32 variants.
 */
export async function fastest<Call>(
  stream: Stream,
  trial: Trial<Call>,
  events: TrialEvents,
): Promise<Variant<Call>> {
  const able = await agreeing(stream, trial, events);
  if (able.length === 1) {
    return able[0]!;
  }
  const clock = openClock(stream);
  try {
    return await best(able, async (variant, calls) => {
      await events.running?.(variant.name, 'timing');
      return await clock.time(variant, trial.call, calls);
    });
  } finally {
    clock.close();
  }
}

/**
 * The variants that agree with the first f32 one, that one included, in their order. Throws TrialDropped if the device
 * refuses all f32 variants.
 */
export async function agreeing<Call>(
  stream: Stream,
  { variants, call, output }: Trial<Call>,
  events: TrialEvents,
): Promise<Variant<Call>[]> {
  const remaining = await compiled(stream.gpu, variants, call, events);
  const standard = remaining.find(({ precision }) => precision === 'f32');
  if (!standard) {
    throw new TrialDropped('no f32 variant is left to compare with');
  }
  await events.running?.(standard.name, 'first');
  const expected = await sample(stream, standard, call, output);
  if (typeof expected === 'string') {
    throw new TrialDropped(`${standard.name}: ${expected}`);
  }
  const able: Variant<Call>[] = [];
  for (const variant of remaining) {
    if (variant === standard) {
      able.push(variant);
      continue;
    }
    await events.running?.(variant.name, 'first');
    const found = await sample(stream, variant, call, output);
    const why = typeof found === 'string' ? found : disagreement(expected, found, variant.precision);
    if (why === undefined) {
      able.push(variant);
    } else {
      events.dropped(variant.name, why);
    }
  }
  return able;
}

/** The variants whose kernels compile; all are compiled concurrently, off this thread. */
async function compiled<Call>(
  gpu: Gpu,
  variants: readonly Variant<Call>[],
  call: Call,
  events: TrialEvents,
): Promise<Variant<Call>[]> {
  const reasons = await Promise.all(
    variants.map(async (variant) => {
      const kernels = kernelsOf(gpu, variant, call);
      let pipelines: Promise<string | undefined>[] = [];
      const refused = await refusal(gpu.device, () => {
        pipelines = kernels.map(({ kernel, constants }) => kernel.tryCompile(gpu, constants));
      });
      const reasons = [refused, ...(await Promise.all(pipelines))];
      events.compiled?.(variant.name);
      return reasons.find((reason) => reason !== undefined);
    }),
  );
  return variants.filter(({ name }, i) => {
    if (reasons[i] !== undefined) {
      events.dropped(name, reasons[i]);
    }
    return reasons[i] === undefined;
  });
}

/** The kernels that a variant dispatches, recorded on a null device. */
function kernelsOf<Call>(gpu: Gpu, variant: Variant<Call>, call: Call): Needed[] {
  const needed: Needed[] = [];
  const stream = new Stream(openNullGpu(gpu));
  stream.listener = (kernel, { constants = {} }) => void needed.push({ kernel, constants });
  variant.dispatch(stream, call);
  return needed;
}

/**
 * The variant with the smallest median time; ties go to the earlier. `time` resolves to the seconds of a call, averaged
 * over so many calls.
 */
export async function best<V>(
  able: readonly V[],
  time: (variant: V, calls: number) => Promise<number>,
): Promise<V> {
  const once = await time(able[0]!, 1);
  const calls = Math.min(MAX_CALLS, Math.max(1, Math.ceil(ROUND_SECONDS / once)));
  const lasting = Math.round(VARIANT_SECONDS / (calls * once));
  const rounds = Math.min(MOST_ROUNDS, Math.max(LEAST_ROUNDS, lasting));
  let remaining = able.map((variant) => ({ variant, times: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const { variant, times } of remaining) {
      times.push(await time(variant, calls));
    }
    if (round === 0) {
      continue;
    }
    // By the shortest time of each, because other work on the device can only add to it.
    const best = Math.min(...remaining.flatMap(({ times }) => times));
    remaining = remaining.filter(({ times }) => Math.min(...times) <= DROP_RATIO * best);
  }
  return remaining.reduce((best, one) => (median(one.times) < median(best.times) ? one : best)).variant;
}

/** The first and last values of a variant's result, or why the device refuses it. */
async function sample<Call>(
  stream: Stream,
  variant: Variant<Call>,
  call: Call,
  output: BufferView,
): Promise<Float32Array | string> {
  // Cleared, so that an earlier variant's result does not stand in for what this one fails to write.
  stream.clear(output);
  const refused = await refusal(stream.gpu.device, () => {
    variant.dispatch(stream, call);
    stream.submit();
  });
  if (refused !== undefined) {
    return refused;
  }
  const size = Math.min(SAMPLE_BYTES, output.size);
  const tail = { ...output, offset: output.offset + output.size - size, size };
  return new Float32Array((await readOnce(stream, { ...output, size }, tail)).buffer);
}

function disagreement(expected: Float32Array, found: Float32Array, precision: Precision): string | undefined {
  let difference = 0;
  let norm = 0;
  expected.forEach((value, i) => {
    difference += (found[i]! - value) ** 2;
    norm += value ** 2;
  });
  const error = Math.sqrt(difference / norm);
  return error <= TOLERANCE[precision] ? undefined : `its result differs by ${error.toExponential(1)}`;
}

interface Clock {
  /** Seconds per call, averaged over `calls` calls. */
  time<Call>(variant: Variant<Call>, call: Call, calls: number): Promise<number>;
  close(): void;
}

/** The device's timestamps if available, otherwise the wall clock. */
function openClock(stream: Stream): Clock {
  return hasTimestamps(stream.gpu) ? deviceClock(stream) : wallClock(stream);
}

const hasTimestamps = ({ device }: Gpu): boolean => device.features.has('timestamp-query');

function deviceClock(stream: Stream): Clock {
  const profiler = new Profiler(stream.gpu);
  return {
    async time(variant, call, calls) {
      stream.profiler = profiler;
      for (let i = 0; i < calls; i++) {
        variant.dispatch(stream, call);
      }
      await stream.finish();
      await profiler.finish();
      stream.profiler = undefined;
      const seconds = [...profiler.times.values()].reduce((sum, time) => sum + time.seconds, 0);
      profiler.times.clear();
      return seconds / calls;
    },
    close: () => profiler.close(),
  };
}

function wallClock(stream: Stream): Clock {
  return {
    async time(variant, call, calls) {
      await stream.finish();
      const begun = performance.now();
      for (let i = 0; i < calls; i++) {
        variant.dispatch(stream, call);
      }
      await stream.finish();
      return (performance.now() - begun) / 1000 / calls;
    },
    close: () => undefined,
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
