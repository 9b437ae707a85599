/**
 * Stateless LoRA dropout: whether a feature is kept is a hash of (seed, epoch, row, layer, projection, token
 * position, feature), so that packing, recomputation and resuming all see the same mask. The CPU counterpart of
 * shaders/lora/dropout.wgsl, equal to it bit for bit. All values are 32-bit integers.
 *
 * Reference: lowbias32, https://github.com/skeeto/hash-prospector (C. Wellons).
 */

/**
 * lowbias32: a bijection of 32-bit integers in which each input bit flips each output bit with probability close to
 * ½.
 */
function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** An order-dependent hash of both; the constant keeps zeros from hashing to zero. */
function combine(hash: number, value: number): number {
  return mix(hash ^ mix((value + 0x9e3779b9) >>> 0));
}

/** The key of a data row in an epoch. `seed`, `epoch` and `row` are integers below 2³². */
export function dropoutKey(seed: number, epoch: number, row: number): number {
  return combine(combine(combine(0, seed), epoch), row);
}

/** The key of a LoRA module: the layer's number and the projection's index within the layer. */
export function moduleKey(layer: number, projectionIndex: number): number {
  return combine(combine(0, layer), projectionIndex);
}

/** The dropout rate, in [0, 1), as a fraction of 2³²: a feature whose hash is below it is dropped. */
export function dropoutThreshold(rate: number): number {
  return Math.round(rate * 2 ** 32);
}

/**
 * Whether a feature of the token at `position` of its row is kept. `tokenKey` is the row's `dropoutKey`, `module`
 * the `moduleKey`; kept features are scaled by 1/(1 − rate).
 */
export function dropoutKeep(
  tokenKey: number,
  module: number,
  position: number,
  feature: number,
  threshold: number,
): boolean {
  return combine(combine(combine(tokenKey, module), position), feature) >= threshold;
}
