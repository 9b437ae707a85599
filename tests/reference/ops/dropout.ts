/** x·mask/(1 − rate) over rows of `width`, where keep(token, feature) says what passes. */
export function dropoutRef(
  x: Float64Array,
  width: number,
  rate: number,
  keep: (token: number, feature: number) => boolean,
): Float64Array {
  return x.map((value, i) => (keep(Math.floor(i / width), i % width) ? value / (1 - rate) : 0));
}
