// out[i] = silu(gate[i])·up[i]. Four values a thread.
// Reference: N. Shazeer, "GLU Variants Improve Transformer", arXiv:2002.05202.

struct Params { n4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gate: array<vec4f>;
@group(0) @binding(2) var<storage, read> up: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

const THREADS = 256u;

#include "shared/silu.wgsl"

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * THREADS + lane;
  if (i >= p.n4) { return; }
  out[i] = silu(gate[i]) * up[i];
}
