import type { Stream } from '../gpu/stream.ts';

/** Minimum duration of a timed batch of calls, in seconds. */
const BATCH_SECONDS = 0.06;

/** Seconds per call: the median of several rounds, and the fastest and slowest of them. */
export interface Timing {
  seconds: number;
  fastest: number;
  slowest: number;
}

/** Summarizes rounds, given in seconds. */
export function timing(rounds: readonly number[]): Timing {
  const sorted = rounds.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const seconds = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { seconds, fastest: sorted[0]!, slowest: sorted.at(-1)! };
}

/**
 * Times what `call` appends to the stream: once to warm up, then in `rounds` batches, each with enough calls that
 * the round trip to the device is negligible.
 */
export async function timeCalls(stream: Stream, rounds: number, call: () => void): Promise<Timing> {
  const batch = async (calls: number): Promise<number> => {
    const begun = performance.now();
    for (let i = 0; i < calls; i++) {
      call();
    }
    await stream.finish();
    return (performance.now() - begun) / 1000;
  };
  await batch(1);
  let calls = 1;
  let seconds = await batch(calls);
  while (seconds < BATCH_SECONDS / 2) {
    calls = Math.ceil(calls * Math.min(10, BATCH_SECONDS / Math.max(seconds, 1e-4)));
    seconds = await batch(calls);
  }
  const all = [];
  for (let i = 0; i < rounds; i++) {
    all.push((await batch(calls)) / calls);
  }
  return timing(all);
}

/**
 * An amount of work that takes about half a batch: starting at 1 and growing at most tenfold per attempt, so that
 * the slowest device is never busy for long. `call` appends that amount to the stream.
 */
export async function amountToTime(stream: Stream, call: (amount: number) => void): Promise<number> {
  for (let amount = 1, warm = false; ; warm = true) {
    const begun = performance.now();
    call(amount);
    await stream.finish();
    const seconds = (performance.now() - begun) / 1000;
    if (seconds >= BATCH_SECONDS / 2 && warm) {
      return amount;
    }
    // The first call also compiles.
    if (warm) {
      amount = Math.ceil(amount * Math.min(10, (0.6 * BATCH_SECONDS) / seconds));
    }
  }
}

/** Times a call that awaits its own completion: once to warm up, then `rounds` times. */
export async function timeRounds(rounds: number, call: () => Promise<unknown>): Promise<Timing> {
  const all = [];
  for (let i = 0; i <= rounds; i++) {
    const begun = performance.now();
    await call();
    if (i > 0) {
      all.push((performance.now() - begun) / 1000);
    }
  }
  return timing(all);
}
