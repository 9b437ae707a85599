/** silu(gate)·up in f64, silu(g) = g/(1 + e^−g). */
export function swigluRef(gate: Float64Array, up: Float64Array): Float64Array {
  return gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
}

/** dL/dgate and dL/dup of swigluRef given dL/dout. */
export function swigluBackwardRef(
  gate: Float64Array,
  up: Float64Array,
  dout: Float64Array,
): { dgate: Float64Array; dup: Float64Array } {
  const sigmoid = gate.map((g) => 1 / (1 + Math.exp(-g)));
  return {
    dgate: gate.map((g, i) => dout[i]! * up[i]! * sigmoid[i]! * (1 + g * (1 - sigmoid[i]!))),
    dup: gate.map((g, i) => dout[i]! * g * sigmoid[i]!),
  };
}
