/** The f32 value of a bf16 bit pattern: its upper half. */
export function bf16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
}

/** The value of an IEEE half-precision bit pattern. */
export function f16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) {
    return fraction ? NaN : sign * Infinity;
  }
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Rows x[index[0]], x[index[1]], … behind one another. */
export function gatherRowsRef(x: Float32Array, index: ArrayLike<number>, width: number): Float32Array {
  const y = new Float32Array(index.length * width);
  for (let i = 0; i < index.length; i++) {
    y.set(x.subarray(index[i]! * width, (index[i]! + 1) * width), i * width);
  }
  return y;
}
