// The gradients of silu(gate)·up, in place. Four values a thread.

struct Params { n4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gate: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> up: array<vec4f>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;

const THREADS = 256u;

#include "shared/gated_gradient.wgsl"

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * THREADS + lane;
  if (i >= p.n4) { return; }
  let d = gated_gradient(gate[i], up[i], dout[i]);
  gate[i] = d.gate;
  up[i] = d.up;
}
