/** x rounded to f16, to nearest, ties to even: from 65,520 on, and what is no number, to infinity. */
export function halfRef(x: number): number {
  const size = Math.abs(x);
  const sign = Object.is(x, -0) || x < 0 ? -1 : 1;
  if (!(size < 65520)) {
    return sign * Infinity;
  }
  // The last place of f16's numbers of this size, and of those below its least normal number.
  const place = 2 ** (Math.max(Math.floor(Math.log2(size)), -14) - 10);
  const below = Math.floor(size / place);
  const rest = size / place - below;
  const places = rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  return sign * places * place;
}
