/** Half-rotation of x [tokens, heads, headDim] in f64: pair (i, i + headDim/2) turns by position·inverseFrequencies[i]. */
export function ropeRef(
  x: Float64Array,
  positions: ArrayLike<number>,
  inverseFrequencies: Float64Array,
  heads: number,
): Float64Array {
  const half = inverseFrequencies.length;
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length / (2 * half); row++) {
    for (let i = 0; i < half; i++) {
      const angle = positions[Math.floor(row / heads)]! * inverseFrequencies[i]!;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const [at1, at2] = [row * 2 * half + i, row * 2 * half + half + i];
      y[at1] = x[at1]! * c - x[at2]! * s;
      y[at2] = x[at2]! * c + x[at1]! * s;
    }
  }
  return y;
}

/** dL/dx of ropeRef given dL/dy: the rotation's transpose. */
export function ropeBackwardRef(
  dy: Float64Array,
  positions: ArrayLike<number>,
  inverseFrequencies: Float64Array,
  heads: number,
): Float64Array {
  return ropeRef(
    dy,
    Array.from(positions, (position) => -position),
    inverseFrequencies,
    heads,
  );
}
