// Reference: transformers 5.24, src/transformers/trainer_callback.py (EarlyStoppingCallback).

/**
 * How many evaluations in a row have not improved on the best before them, as EarlyStoppingCallback counts: `losses`
 * are those of all evaluations after a step so far. A loss must be better than the best by more than `threshold` to
 * count as an improvement. `greater`: the highest counts as the best.
 */
export function evaluationsWithoutImprovement(
  losses: readonly number[],
  threshold: number,
  greater = false,
): number {
  let best: number | undefined;
  let count = 0;
  for (const loss of losses) {
    const better = best === undefined || (greater ? loss > best : loss < best);
    const improves = best === undefined || (better && Math.abs(loss - best) > threshold);
    count = improves ? 0 : count + 1;
    if (better) {
      best = loss;
    }
  }
  return count;
}
