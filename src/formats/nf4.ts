/**
 * bitsandbytes' 4-bit NormalFloat on the CPU, in f32 arithmetic step by step: the exact counterpart of the GPU
 * quantizer, and the reader of pre-quantized checkpoints.
 *
 * References: T. Dettmers et al., "QLoRA", arXiv:2305.14314; T. Dettmers et al., "8-bit Optimizers via Block-wise
 * Quantization", arXiv:2110.02861 (dynamic map); bitsandbytes, bitsandbytes/functional.py (create_dynamic_map) and
 * csrc/kernels.cu.
 */

const f32 = Math.fround;

/** Values per absmax. */
export const NF4_BLOCK = 64;
/** absmax values per second-level absmax, and optimizer state values per absmax. */
export const DYNAMIC_BLOCK = 256;

export const NF4_CODES = Float32Array.of(
  -1.0,
  -0.6961928009986877,
  -0.5250730514526367,
  -0.39491748809814453,
  -0.28444138169288635,
  -0.18477343022823334,
  -0.09105003625154495,
  0.0,
  0.07958029955625534,
  0.16093020141124725,
  0.24611230194568634,
  0.33791524171829224,
  0.44070982933044434,
  0.5626170039176941,
  0.7229568362236023,
  1.0,
);

/** Threshold i lies between codes i and i + 1; a value's code is the number of thresholds strictly below it. */
export const NF4_THRESHOLDS = NF4_CODES.slice(1).map((code, i) => (NF4_CODES[i]! + code) / 2);

/** bitsandbytes' signed dynamic map of 256 ascending f32 values: for the second level of absmax, and AdamW's m. */
export const signedDynamicMap = (): Float32Array<ArrayBuffer> => dynamicMap(true);

/** bitsandbytes' unsigned dynamic map of 256 ascending f32 values: for AdamW's v. */
export const unsignedDynamicMap = (): Float32Array<ArrayBuffer> => dynamicMap(false);

function dynamicMap(signed: boolean): Float32Array<ArrayBuffer> {
  const values = [0, 1];
  for (let i = 0; i < 7; i++) {
    const edges = linspace(signed ? 2 ** i + 1 : 2 ** (i + 1) + 1);
    const scale = f32(10 ** (i - 6));
    for (let j = 0; j + 1 < edges.length; j++) {
      const value = f32(scale * f32(f32(edges[j]! + edges[j + 1]!) / 2));
      values.push(value);
      if (signed) {
        values.push(-value);
      }
    }
  }
  return Float32Array.from(values).sort();
}

/** torch.linspace(0.1, 1, n) in f32: computed from both ends towards the middle, each multiply-add rounded once. */
function linspace(n: number): Float32Array {
  const start = f32(0.1);
  const step = f32(f32(1 - start) / (n - 1));
  return Float32Array.from({ length: n }, (_, k) =>
    k < Math.floor(n / 2) ? start + step * k : 1 - step * (n - 1 - k),
  );
}

interface Nf4 {
  /** Byte k holds the codes of values 2k (high nibble) and 2k + 1 (low nibble). */
  readonly packed: Uint8Array<ArrayBuffer>;
  /** f32, one per 64 values in flat row-major order; the last block may be partial. */
  readonly absmax: Float32Array<ArrayBuffer>;
}

/** Quantizes a flat row-major weight with an even number of values. */
export function quantizeNf4(flat: Float32Array): Nf4 {
  const packed = new Uint8Array(flat.length / 2);
  const absmax = new Float32Array(Math.ceil(flat.length / NF4_BLOCK));
  for (let block = 0; block < absmax.length; block++) {
    const begin = block * NF4_BLOCK;
    const values = flat.subarray(begin, begin + NF4_BLOCK);
    const largest = largestMagnitude(values);
    absmax[block] = largest;
    const scale = largest === 0 ? 0 : f32(1 / largest);
    for (let i = 0; i < values.length; i += 2) {
      packed[(begin + i) / 2] =
        (nf4Code(f32(values[i]! * scale)) << 4) | nf4Code(f32(values[i + 1]! * scale));
    }
  }
  return { packed, absmax };
}

/** The first `n` values of NF4 bytes: code × absmax in f32. */
export function dequantizeNf4(
  packed: Uint8Array,
  absmax: Float32Array,
  n: number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const byte = packed[i >> 1]!;
    const code = i & 1 ? byte & 15 : byte >> 4;
    values[i] = NF4_CODES[code]! * absmax[Math.floor(i / NF4_BLOCK)]!;
  }
  return values;
}

function nf4Code(x: number): number {
  let code = 0;
  for (let step = 8; step > 0; step >>= 1) {
    if (x > NF4_THRESHOLDS[code + step - 1]!) {
      code += step;
    }
  }
  return code;
}

function largestMagnitude(values: Float32Array): number {
  let largest = 0;
  for (const value of values) {
    largest = Math.max(largest, Math.abs(value));
  }
  return largest;
}

interface DoubleQuantized {
  /** Index into the signed dynamic map, one per absmax. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** f32, one per 256 absmax values. */
  readonly absmax2: Float32Array<ArrayBuffer>;
  /** The mean of the absmax values, rounded to f32. */
  readonly offset: number;
}

/** Quantizes absmax values themselves, to 8 bits each. */
export function doubleQuantize(absmax: Float32Array): DoubleQuantized {
  let sum = 0;
  // An iterator takes five times as long, and a base has 20 million scales.
  for (let i = 0; i < absmax.length; i++) {
    sum += absmax[i]!;
  }
  const offset = f32(sum / absmax.length);
  const codes = new Uint8Array(absmax.length);
  const absmax2 = new Float32Array(Math.ceil(absmax.length / DYNAMIC_BLOCK));
  const buckets = (signedBuckets ??= bucketsOf(signedDynamicMap()));
  const centered = new Float32Array(DYNAMIC_BLOCK);
  const bits = new Int32Array(centered.buffer);
  for (let block = 0; block < absmax2.length; block++) {
    const begin = block * DYNAMIC_BLOCK;
    const n = Math.min(DYNAMIC_BLOCK, absmax.length - begin);
    let largest = 0;
    for (let i = 0; i < n; i++) {
      const value = f32(absmax[begin + i]! - offset);
      centered[i] = value;
      largest = Math.max(largest, Math.abs(value));
    }
    absmax2[block] = largest;
    const scale = largest === 0 ? 0 : f32(1 / largest);
    for (let i = 0; i < n; i++) {
      centered[i] = f32(centered[i]! * scale);
      const word = bits[i]!;
      const bucket = buckets[word >>> PLACE_BITS]!;
      const midpoint = bucket & (2 * PLACES - 1);
      const above = (midpoint - placeOf(word)) >>> 31;
      codes[begin + i] = (bucket >> (PLACE_BITS + 1)) + above;
    }
  }
  return { codes, absmax2, offset };
}

/** The absmax values of double-quantized ones: map[code] × absmax2 + offset, each operation rounded to f32. */
export function doubleDequantize(
  codes: Uint8Array,
  absmax2: Float32Array,
  offset: number,
  blocksize = DYNAMIC_BLOCK,
  map: Float32Array = signedDynamicMap(),
): Float32Array<ArrayBuffer> {
  const absmax = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    absmax[i] = f32(map[codes[i]!]! * absmax2[Math.floor(i / blocksize)]!) + offset;
  }
  return absmax;
}

/** Floats that share sign, exponent and six bits of the mantissa share a bucket: fine enough for one midpoint each. */
const PLACE_BITS = 17;
const PLACES = 2 ** PLACE_BITS;

/** A float's place in its bucket, from its bits; larger values have later places. */
const placeOf = (bits: number): number => (bits ^ (bits >> 31)) & (PLACES - 1);

/** Those of the signed map, once they are needed: making them takes milliseconds, and a base has hundreds of weights. */
let signedBuckets: Int32Array | undefined;

/**
 * For a search of the nearest code without branches, which the processor could not foresee; ties go down, so that a
 * value's code is the number of midpoints strictly below it. Each bucket has the code of its smallest value, times
 * 2 × PLACES, and the place of the midpoint in it, PLACES if there is none.
 */
function bucketsOf(map: Float32Array): Int32Array {
  const midpoints = Float32Array.from({ length: map.length - 1 }, (_, i) => f32(map[i]! + map[i + 1]!) / 2);
  const words = new Int32Array(midpoints.buffer);
  const least = new Float32Array(1);
  const leastBits = new Uint32Array(least.buffer);
  const buckets = new Int32Array(2 ** (32 - PLACE_BITS));
  for (let bucket = 0; bucket < buckets.length; bucket++) {
    const negative = bucket >= buckets.length / 2;
    leastBits[0] = (bucket << PLACE_BITS) + (negative ? PLACES - 1 : 0);
    let code = 0;
    while (midpoints[code]! < least[0]!) {
      code++;
    }
    const inside = words[code]! >>> PLACE_BITS === bucket;
    if (inside && words[code + 1]! >>> PLACE_BITS === bucket) {
      throw new Error(`bucket ${bucket} has two midpoints`);
    }
    buckets[bucket] = code * 2 * PLACES + (inside ? placeOf(words[code]!) : PLACES);
  }
  return buckets;
}
