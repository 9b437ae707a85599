/** Per row of `vocab` logits: log Σ exp − logit[label], in f64. */
export function crossEntropyRef(logits: Float64Array, labels: ArrayLike<number>): Float64Array {
  const vocab = logits.length / labels.length;
  return Float64Array.from(labels, (label, r) => {
    const row = logits.subarray(r * vocab, (r + 1) * vocab);
    return logSumExp(row) - row[label]!;
  });
}

/** The gradient of scale·Σ losses: (softmax − onehot)·scale. */
export function crossEntropyBackwardRef(
  logits: Float64Array,
  labels: ArrayLike<number>,
  scale: number,
): Float64Array {
  const vocab = logits.length / labels.length;
  const grad = new Float64Array(logits.length);
  for (let r = 0; r < labels.length; r++) {
    const row = logits.subarray(r * vocab, (r + 1) * vocab);
    const total = logSumExp(row);
    row.forEach((x, c) => {
      grad[r * vocab + c] = (Math.exp(x - total) - (c === labels[r] ? 1 : 0)) * scale;
    });
  }
  return grad;
}

function logSumExp(row: Float64Array): number {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  return largest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0));
}
