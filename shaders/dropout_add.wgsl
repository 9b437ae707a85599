// y += x·mask·scale: the gradient of a module's masked input. One thread per four features.
// Beside this text stands dropout.

struct Params {
  tokens: u32,
  width4: u32,
  module_key: u32,
  threshold: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> token_keys: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

const THREADS = 64u;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (group.x + group.y * groups.x) * THREADS + lane;
  if (at >= p.tokens * p.width4) { return; }
  let token = at / p.width4;
  y[at] += dropped(x[at], token, 4u * (at - token * p.width4), p.module_key);
}
