/** RMSNorm in f64: y = x/√(mean(x²)+eps)·w, rows of `w.length`. */
export function rmsnormRef(x: Float64Array, w: Float64Array, eps: number): Float64Array {
  const width = w.length;
  return x.map((_, i) => {
    const begin = i - (i % width);
    let squares = 0;
    for (let c = 0; c < width; c++) {
      squares += x[begin + c]! ** 2;
    }
    return (x[i]! / Math.sqrt(squares / width + eps)) * w[i - begin]!;
  });
}

/** dL/dx of rmsnormRef given dL/dy. */
export function rmsnormBackwardRef(
  x: Float64Array,
  w: Float64Array,
  dy: Float64Array,
  eps: number,
): Float64Array {
  const width = w.length;
  return x.map((_, i) => {
    const begin = i - (i % width);
    let squares = 0;
    let pull = 0;
    for (let c = 0; c < width; c++) {
      squares += x[begin + c]! ** 2;
      pull += x[begin + c]! * w[c]! * dy[begin + c]!;
    }
    const rstd = 1 / Math.sqrt(squares / width + eps);
    return rstd * (w[i - begin]! * dy[i]! - (x[i]! * rstd * rstd * pull) / width);
  });
}
