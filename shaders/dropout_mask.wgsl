// y (+)= x·mask·scale, where mask is a hash of the row's key, the module, the token's position and the feature, and
// scale is 1/(1 − rate). One thread per four features. src/gpu/dropout.ts computes the same mask on the CPU.

struct Params {
  tokens: u32,
  width4: u32,
  module_key: u32,
  threshold: u32,
  scale: f32,
  accumulate: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
// Per token: the key of (seed, epoch, row), and the position in that row.
@group(0) @binding(2) var<storage, read> token_keys: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

const THREADS = 64u;

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

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (group.x + group.y * groups.x) * THREADS + lane;
  if (at >= p.tokens * p.width4) { return; }
  let token = at / p.width4;
  let feature = 4u * (at - token * p.width4);
  let key = combine(token_keys[token].x, p.module_key);
  let position = token_keys[token].y;
  let mask = vec4<bool>(
    keep(key, position, feature),
    keep(key, position, feature + 1u),
    keep(key, position, feature + 2u),
    keep(key, position, feature + 3u),
  );
  let kept = select(vec4f(), x[at] * p.scale, mask);
  if (p.accumulate != 0u) { y[at] += kept; } else { y[at] = kept; }
}
