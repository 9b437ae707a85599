/**
 * LoRA dropout without state: whether a feature is kept is a hash of (seed, epoch, row, layer, projection, token
 * position, feature), so that packing, recomputation and resume all see the same mask. The CPU's counterpart of
 * shaders/lora/dropout.wgsl, equal to it bit for bit. Everything is a 32-bit integer.
 */

/** A bijection of 32-bit integers in which every input bit flips every output bit with a chance near one half. */
function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A hash that depends on both and on their order; the constant keeps zeros from hashing to zero. */
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

/** A feature whose hash is below this is dropped: `rate`, in [0, 1), as a fraction of 2³². */
export function dropoutThreshold(rate: number): number {
  return Math.round(rate * 2 ** 32);
}

/**
 * Whether a feature of the token at `position` of its row passes. `tokenKey` is the row's `dropoutKey`, `module` the
 * `moduleKey`; what passes is scaled by 1/(1 − rate).
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
