/**
 * Index of the first value that differs (NaN equals NaN), −1 if none does. For arrays so long that a failing
 * `toEqual` would take minutes to print them.
 */
export function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) {
    return Math.min(a.length, b.length);
  }
  for (let i = 0; i < a.length; i++) {
    if (!Object.is(a[i], b[i])) {
      return i;
    }
  }
  return -1;
}
