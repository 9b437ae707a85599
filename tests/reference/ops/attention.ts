/** Shape of an attention: q [tokens, heads, headDim], k and v [tokens, kvHeads, headDim]. */
export interface AttentionShape {
  tokens: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  scale: number;
  /** The first key of each token; it attends from there to itself. */
  keyBegin: ArrayLike<number>;
}

/** Calls visit with the softmax weights over keys keyBegin[i]…i of each head h and token i, and their log-sum-exp. */
function eachRow(
  q: Float64Array,
  k: Float64Array,
  { tokens, heads, kvHeads, headDim, scale, keyBegin }: AttentionShape,
  visit: (row: { query: number; keys: number[]; weights: number[]; lse: number; at: number }) => void,
): void {
  for (let i = 0; i < tokens; i++) {
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor(h / (heads / kvHeads));
      const query = (i * heads + h) * headDim;
      const keys: number[] = [];
      const scores: number[] = [];
      for (let j = keyBegin[i]!; j <= i; j++) {
        const key = (j * kvHeads + kvHead) * headDim;
        let score = 0;
        for (let c = 0; c < headDim; c++) {
          score += q[query + c]! * k[key + c]!;
        }
        keys.push(key);
        scores.push(scale * score);
      }
      const max = Math.max(...scores);
      const sum = scores.reduce((total, score) => total + Math.exp(score - max), 0);
      const lse = max + Math.log(sum);
      const weights = scores.map((score) => Math.exp(score - lse));
      visit({ query, keys, weights, lse, at: i * heads + h });
    }
  }
}

/** softmax(scale·q·kᵀ)·v under the causal document mask, in f64, and the log-sum-exp [tokens, heads] of the scores. */
export function attentionRef(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  shape: AttentionShape,
): { o: Float64Array; lse: Float64Array } {
  const o = new Float64Array(q.length);
  const lse = new Float64Array(shape.tokens * shape.heads);
  eachRow(q, k, shape, (row) => {
    lse[row.at] = row.lse;
    row.keys.forEach((key, j) => {
      for (let c = 0; c < shape.headDim; c++) {
        o[row.query + c]! += row.weights[j]! * v[key + c]!;
      }
    });
  });
  return { o, lse };
}

/** dL/dq, dL/dk, dL/dv of attentionRef given dL/do. */
export function attentionBackwardRef(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  dout: Float64Array,
  shape: AttentionShape,
): { dq: Float64Array; dk: Float64Array; dv: Float64Array } {
  const { headDim, scale } = shape;
  const dq = new Float64Array(q.length);
  const dk = new Float64Array(k.length);
  const dv = new Float64Array(v.length);
  eachRow(q, k, shape, ({ query, keys, weights }) => {
    // dL/dweight of each key, and the mean that softmax takes off.
    const dweights = keys.map((key) => {
      let sum = 0;
      for (let c = 0; c < headDim; c++) {
        sum += dout[query + c]! * v[key + c]!;
      }
      return sum;
    });
    const mean = dweights.reduce((sum, d, j) => sum + d * weights[j]!, 0);
    keys.forEach((key, j) => {
      const dscore = weights[j]! * (dweights[j]! - mean) * scale;
      for (let c = 0; c < headDim; c++) {
        dv[key + c]! += weights[j]! * dout[query + c]!;
        dq[query + c]! += dscore * k[key + c]!;
        dk[key + c]! += dscore * q[query + c]!;
      }
    });
  });
  return { dq, dk, dv };
}
