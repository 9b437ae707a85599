/** One tensor with its optimizer state in blocks of 256, the last of which may be partial. */
export interface Adamw8bitState {
  readonly weights: ArrayLike<number>;
  readonly mCodes: Uint8Array;
  readonly vCodes: Uint8Array;
  readonly mAbsmax: ArrayLike<number>;
  readonly vAbsmax: ArrayLike<number>;
}

/** A step's result; m and v as they were before they were requantized. */
export interface Adamw8bitResult extends Adamw8bitState {
  readonly m: Float64Array;
  readonly v: Float64Array;
  /** How many codes of m were moved to keep its sign. */
  readonly signFixes: number;
}

export interface AdamwRefSettings {
  step: number;
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
}

interface Moved {
  weights: Float64Array;
  m: Float64Array;
  v: Float64Array;
}

/** One AdamW step in f64 with f64 state; a gradient that is not finite leaves its weight and clears m and v. */
export function adamwRef(
  weights: ArrayLike<number>,
  m: Float64Array,
  v: Float64Array,
  grads: Float64Array,
  { step, learningRate, beta1, beta2, eps, weightDecay }: AdamwRefSettings,
): Moved {
  const c1 = 1 - beta1 ** step;
  const c2 = Math.sqrt(1 - beta2 ** step);
  const out: Moved = { weights: Float64Array.from(weights), m: m.slice(), v: v.slice() };
  grads.forEach((g, i) => {
    if (!Number.isFinite(g)) {
      out.m[i] = out.v[i] = 0;
      return;
    }
    out.m[i] = beta1 * m[i]! + (1 - beta1) * g;
    out.v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
    const update = (learningRate * (c2 / c1) * out.m[i]!) / (Math.sqrt(out.v[i]!) + c2 * eps);
    out.weights[i] = (out.weights[i]! - update) * (1 - learningRate * weightDecay);
  });
  return out;
}

/** The same step with m and v decoded from 8-bit codes before it and encoded after it. */
export function adamw8bitRef(
  state: Adamw8bitState,
  grads: Float64Array,
  signedMap: ArrayLike<number>,
  unsignedMap: ArrayLike<number>,
  settings: AdamwRefSettings,
): Adamw8bitResult {
  const decode = (codes: Uint8Array, absmax: ArrayLike<number>, map: ArrayLike<number>): Float64Array =>
    Float64Array.from(codes, (code, i) => map[code]! * absmax[Math.floor(i / 256)]!);
  const moved = adamwRef(
    state.weights,
    decode(state.mCodes, state.mAbsmax, signedMap),
    decode(state.vCodes, state.vAbsmax, unsignedMap),
    grads,
    settings,
  );
  const m = encode(moved.m, signedMap);
  const v = encode(moved.v, unsignedMap);
  let signFixes = 0;
  m.codes.forEach((code, i) => {
    if (moved.m[i]! < 0 && signedMap[code]! >= 0) {
      m.codes[i] = code - 1;
    } else if (moved.m[i]! > 0 && signedMap[code]! < 0) {
      m.codes[i] = code + 1;
    } else {
      return;
    }
    signFixes++;
  });
  return {
    ...moved,
    mCodes: m.codes,
    vCodes: v.codes,
    mAbsmax: m.absmax,
    vAbsmax: v.absmax,
    signFixes,
  };
}

/** Codes whose map values, times the block's largest magnitude, are nearest to the values; the lower on ties. */
function encode(values: Float64Array, map: ArrayLike<number>): { codes: Uint8Array; absmax: Float64Array } {
  const absmax = Float64Array.from({ length: Math.ceil(values.length / 256) }, (_, block) =>
    values.subarray(256 * block, 256 * block + 256).reduce((a, x) => Math.max(a, Math.abs(x)), 0),
  );
  const codes = Uint8Array.from(values, (value, i) => {
    const largest = absmax[Math.floor(i / 256)]!;
    return nearest(largest > 0 ? value / largest : 0, map);
  });
  return { codes, absmax };
}

function nearest(x: number, map: ArrayLike<number>): number {
  let best = 0;
  for (let code = 1; code < map.length; code++) {
    if (Math.abs(map[code]! - x) < Math.abs(map[best]! - x)) {
      best = code;
    }
  }
  return best;
}
