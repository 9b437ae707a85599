// Rounds gate and up to f16 in place, and may save them so: four halves of gate, then four of up. Four values of both
// a thread.

struct Params { n4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gate: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> up: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> saved: array<vec4u>;

override SAVED: bool = false;

const THREADS = 256u;

#include "shared/halves.wgsl"

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * THREADS + lane;
  if (i >= p.n4) { return; }
  let words = vec4u(pack_halves(gate[i]), pack_halves(up[i]));
  gate[i] = unpack_halves(words.xy);
  up[i] = unpack_halves(words.zw);
  if (SAVED) { saved[i] = words; }
}
