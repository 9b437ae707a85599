// References: P. Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004 (paired
// bootstrap); numpy.quantile.
import { Xoshiro128 } from '../formats/xoshiro128.ts';

/** Number of resamples. */
export const RESAMPLES = 10_000;

/**
 * The 95% interval of the mean of `differences`, by the percentile bootstrap: each resample draws as many questions
 * with replacement. It is paired if each entry is the difference of two answers to the same question. The same seed
 * gives the same interval. `differences` must not be empty.
 */
export function bootstrapInterval(
  differences: readonly number[],
  seed: number,
  resamples = RESAMPLES,
): readonly [low: number, high: number] {
  const random = Xoshiro128.seeded(seed);
  const { length } = differences;
  const means = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let i = 0; i < length; i++) {
      sum += differences[Math.floor(random.uniform() * length)]!;
    }
    means[r] = sum / length;
  }
  means.sort();
  return [quantile(means, 0.025), quantile(means, 0.975)];
}

/** Interpolates between the two nearest values of a sorted list, as numpy.quantile does by default. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below]!;
  return low + (at - below) * ((sorted[below + 1] ?? low) - low);
}
