// LoRA dropout: whether a feature passes is a hash of the row's key, the module, the token's position and the
// feature. src/gpu/kernels/lora/dropout-mask.ts computes the same mask on the CPU. `token_keys` has per token the key
// of (seed, epoch, row) and the position in that row; p.scale is 1/(1 − rate).
// Reference: lowbias32, C. Wellons, https://github.com/skeeto/hash-prospector.
// requires: p.threshold, token_keys, p.scale

// A bijection of 32-bit integers in which every input bit flips every output bit with a chance near one half.
fn mix_bits(value: u32) -> u32 {
  var h = value;
  h = (h ^ (h >> 16u)) * 0x7feb352du;
  h = (h ^ (h >> 15u)) * 0x846ca68bu;
  return h ^ (h >> 16u);
}

// A hash that depends on both and on their order; the constant keeps zeros from hashing to zero.
fn combine(hash: u32, value: u32) -> u32 {
  return mix_bits(hash ^ mix_bits(value + 0x9e3779b9u));
}

// Whether a feature passes; the key is that of the row and the module together.
fn keep(key: u32, position: u32, feature: u32) -> bool {
  return combine(combine(key, position), feature) >= p.threshold;
}

// What passes of x, a token's `feature` and the three after it, scaled.
fn dropped(x: vec4f, token: u32, feature: u32, module_key: u32) -> vec4f {
  let key = combine(token_keys[token].x, module_key);
  let position = token_keys[token].y;
  let mask = vec4<bool>(
    keep(key, position, feature),
    keep(key, position, feature + 1u),
    keep(key, position, feature + 2u),
    keep(key, position, feature + 3u),
  );
  return select(vec4f(), x * p.scale, mask);
}
